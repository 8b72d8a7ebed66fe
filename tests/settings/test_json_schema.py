"""The JSON Schema of the settings follows from how they are declared."""

# Annotations are evaluated: msgspec reads the types from them.

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from tap_orgvue.settings.json_schema import declarations, json_schema_of


class Size(str, Enum):
    """Something to choose from."""

    SMALL = "small"
    LARGE = "large"


class Example(msgspec.Struct, kw_only=True):
    """A setting of each kind."""

    token: Annotated[str, Meta(title="T", description="D.", extra={"secret": True})]
    count: Annotated[int, Meta(title="T", description="D.", ge=1, le=9)] = 3
    limit: Annotated[int | None, Meta(title="T", description="D.")] = None
    active: Annotated[bool, Meta(title="T", description="D.")] = False
    size: Annotated[Size, Meta(title="T", description="D.")] = Size.LARGE
    place: Annotated[
        str | None, Meta(title="T", description="D.", extra_json_schema={"enum": ["here"]})
    ] = None
    since: Annotated[datetime | None, Meta(title="T", description="D.")] = None
    key: Annotated[bytes | None, Meta(title="T", description="D.")] = None
    names: Annotated[tuple[str, ...], Meta(title="T", description="D.")] = ()
    table: Annotated[Mapping[str, tuple[str, ...]], Meta(title="T", description="D.")] = {}
    loose: Annotated[Mapping[str, dict[str, Any]], Meta(title="T", description="D.")] = {}
    text: Annotated[str, Meta(title="T", description="D.")] = ""


@pytest.mark.parametrize(
    "name,declared",
    [
        ("token", {"type": ["string"], "secret": True, "writeOnly": True}),
        ("count", {"type": ["integer", "null"], "minimum": 1, "maximum": 9, "default": 3}),
        ("limit", {"type": ["integer", "null"]}),
        ("active", {"type": ["boolean", "null"], "default": False}),
        ("size", {"type": ["string", "null"], "default": "large", "enum": ["small", "large"]}),
        ("place", {"type": ["string", "null"], "enum": ["here"]}),
        ("since", {"type": ["string", "null"], "format": "date-time"}),
        ("key", {"type": ["string", "null"]}),
        ("names", {"type": ["array", "null"], "items": {"type": ["string"]}}),
        (
            "table",
            {
                "type": ["object", "null"],
                "properties": {},
                "additionalProperties": {"type": "array", "items": {"type": ["string"]}},
            },
        ),
        (
            "loose",
            {
                "type": ["object", "null"],
                "properties": {},
                "additionalProperties": {
                    "type": "object",
                    "properties": {},
                    "additionalProperties": True,
                },
            },
        ),
        ("text", {"type": ["string", "null"]}),
    ],
)
def test_a_declared_setting_has_its_schema(name: str, declared: dict[str, Any]) -> None:
    """Type, bounds, options, default and secrecy of a field are those of its JSON Schema."""
    schema = json_schema_of(Example)
    assert schema["properties"][name] == {"title": "T", "description": "D.", **declared}
    assert schema["required"] == ["token"]
    assert list(schema["properties"]) == [field.name for field in msgspec.structs.fields(Example)]


def test_a_setting_without_a_description_is_refused() -> None:
    """A field that is only typed is no setting: whoever adds it is told how to."""

    class Bare(msgspec.Struct):
        count: int = 3

    with pytest.raises(TypeError, match=r"^count: declare a setting as Annotated"):
        declarations(Bare)
