"""The JSON Schema of the settings, for the SDK, Meltano and `--about`."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import NODEFAULT, inspect
from singer_sdk import typing as th

if TYPE_CHECKING:
    import msgspec


class Declaration(NamedTuple):
    """The parts of one field of a struct of settings.

    Attributes:
        field: Its name, its default, whether it is required.
        type: Its type, without None.
        json_schema: Title and description, and keywords that the type does not imply.
        extra: `read`, a function from a value of the right JSON type to the field's value;
            `secret`, True if the value is never shown.
    """

    field: inspect.Field
    type: inspect.Type
    json_schema: dict[str, Any]
    extra: dict[str, Any]


def declarations(settings: type[msgspec.Struct]) -> list[Declaration]:
    """The settings that a struct declares, in its order.

    Raises:
        TypeError: A field is not declared as `Annotated[type, Meta(…)]`.
    """
    struct = inspect.type_info(settings)
    fields = struct.fields if isinstance(struct, inspect.StructType) else ()
    return [_declaration(field) for field in fields]


def _declaration(field: inspect.Field) -> Declaration:
    declared = field.type
    if not isinstance(declared, inspect.Metadata):
        raise TypeError(f"{field.name}: declare a setting as Annotated[type, Meta(…)].")
    kind = declared.type
    if isinstance(kind, inspect.UnionType):
        (kind,) = (each for each in kind.types if not isinstance(each, inspect.NoneType))
    return Declaration(field, kind, declared.extra_json_schema or {}, declared.extra or {})


def json_schema_of(settings: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of a struct of settings, as the SDK would write it."""
    found = declarations(settings)
    schema: dict[str, Any] = th.PropertiesList(*map(_property, found)).to_dict()
    for each in found:
        # The SDK's helpers cannot say that a value is one of two types.
        schema["properties"][each.field.name] |= each.json_schema
    return schema


def _property(declaration: Declaration) -> th.Property[Any]:
    field, kind, json_schema, extra = declaration
    return th.Property(
        field.name,
        _json_type(kind),
        required=field.required,
        default=_default(field),
        secret=extra.get("secret", False),
        title=json_schema["title"],
        description=json_schema["description"],
        allowed_values=json_schema.get("enum") or _options(kind),
    )


def _json_type(kind: inspect.Type) -> th.JSONTypeHelper[Any]:
    if isinstance(kind, inspect.IntType):
        return th.IntegerType(minimum=kind.ge, maximum=kind.le)
    if isinstance(kind, inspect.BoolType):
        return th.BooleanType()
    if isinstance(kind, inspect.DateTimeType):
        return th.DateTimeType()
    if isinstance(kind, inspect.VarTupleType):
        return th.ArrayType(_json_type(kind.item_type))
    if isinstance(kind, inspect.DictType):
        anything = isinstance(kind.value_type, inspect.AnyType)
        values = True if anything else _json_type(kind.value_type)
        return th.ObjectType(additional_properties=values)
    return th.StringType()


def _options(kind: inspect.Type) -> list[str] | None:
    return [option.value for option in kind.cls] if isinstance(kind, inspect.EnumType) else None


def _default(field: inspect.Field) -> Any:
    """The default as JSON; None where it is None or empty."""
    default = None if field.default is NODEFAULT else field.default
    if default in {"", ()}:
        return None
    return default.value if isinstance(default, Enum) else default
