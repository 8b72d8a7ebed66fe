"""Makes text from display names safe in YAML, SQL and Jinja."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from tap_orgvue.schema import naming

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_NAME = 63
"""Bytes of a name in Postgres, which cuts longer ones without an error."""

_JINJA = re.compile(r"(?<=\{)(?=[{%#])|(?<=[}%#])(?=\})")
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_PLAIN_SCALAR = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
_SURROGATE = re.compile("[\ud800-\udfff]")

RESERVED_WORDS = frozenset(
    # Postgres' (pg_get_keywords) and Snowflake's, with what either takes in some places only.
    (  # noqa: SIM905 - so many words read best as words
        "account all alter analyse analyze and any array as asc asymmetric authorization between "
        "binary both by case cast check collate collation column concurrently connect connection "
        "constraint create cross current current_catalog current_date current_role "
        "current_schema current_time current_timestamp current_user database default deferrable "
        "delete desc distinct do drop else end except exists false fetch following for foreign "
        "freeze from full grant group gscluster having ilike in increment initially inner insert "
        "intersect into is isnull issue join lateral leading left like limit localtime "
        "localtimestamp minus natural not notnull null of offset on only or order organization "
        "outer overlaps placing primary qualify references regexp returning revoke right rlike "
        "row rows sample schema select session_user set similar some start symmetric system_user "
        "table tablesample then to trailing trigger true try_cast union unique update user using "
        "values variadic verbose view when whenever where window with"
    ).split()
)
"""Words that need quotes as names of columns."""


def one_line(text: str) -> str:
    """A text for comments and descriptions: one line, without Jinja expressions.

    Control and format characters become spaces; braces that Jinja reads are set apart.
    """
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    return _JINJA.sub(" ", " ".join(visible.split()))


def jinja_text(text: str) -> str:
    """A string literal of Jinja."""
    literal = json.dumps(_SURROGATE.sub("\ufffd", text), ensure_ascii=False)
    # Jinja's own characters are escaped even within a literal.
    return re.sub("[{}%#]", lambda sign: f"\\x{ord(sign[0]):02x}", literal)


def yaml_scalar(value: Any) -> str:
    """A scalar of YAML: a text of any content, a number, a boolean or null."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN_SCALAR.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    # JSON's strings are YAML's, but for characters that YAML does not take as they are.
    literal = json.dumps(_SURROGATE.sub("\ufffd", value), ensure_ascii=False)
    return "".join(
        char if char == " " or unicodedata.category(char)[0] not in "CZ" else f"\\U{ord(char):08x}"
        for char in literal
    )


def yaml_lines(value: Any, indent: int = 0) -> Iterator[str]:
    """The lines of a YAML document of dicts, lists and scalars; empty ones are left out."""
    pad = " " * indent
    if isinstance(value, dict):
        for key, member in value.items():
            if isinstance(member, (dict, list)):
                if member:
                    yield f"{pad}{yaml_scalar(key)}:"
                    yield from yaml_lines(member, indent + 2)
            else:
                yield f"{pad}{yaml_scalar(key)}: {yaml_scalar(member)}"
        return
    for member in value:
        if isinstance(member, dict):
            first, *others = yaml_lines(member, indent + 2)
            yield f"{pad}- {first.lstrip()}"
            yield from others
        else:
            yield f"{pad}- {yaml_scalar(member)}"


def is_plain_name(name: str) -> bool:
    """True if a column of this name needs no quotes, in Postgres and in Snowflake."""
    return _PLAIN_NAME.fullmatch(name) is not None and name not in RESERVED_WORDS


def clean_names(wanted: Mapping[str, str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Give each name a unique form that needs no quotes.

    Args:
        wanted: Name to the form that it should have, if possible.
        taken: Forms that are in use already.
    """
    used = {*taken}
    names = {}
    for name, form in wanted.items():
        clean = naming.fold_key(form) or "column"
        if clean in RESERVED_WORDS:
            clean += "_"
        if clean in used or len(clean) > MAX_NAME:
            clean = shortened(f"{clean[:40]}_{hashed(name)}")
        names[name] = clean
        used.add(clean)
    return names


def shortened(name: str, limit: int = MAX_NAME) -> str:
    """A name of at most `limit` characters; a longer one is cut, and a hash is appended."""
    return name if len(name) <= limit else f"{name[: limit - 9].rstrip('_')}_{hashed(name)}"


def hashed(text: str) -> str:
    """Eight hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
