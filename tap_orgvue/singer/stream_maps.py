"""The setting `stream_maps`, checked against the streams and columns that exist.

The SDK applies the maps (https://sdk.meltano.com/en/latest/stream_maps.html), but passes over one
for a stream or column that does not exist: what it was to remove would be sent.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError
from singer_sdk.mapper import (
    MAPPER_ALIAS_OPTION,
    MAPPER_ELSE_OPTION,
    MAPPER_FILTER_OPTION,
    MAPPER_KEY_PROPERTIES_OPTION,
    MAPPER_SOURCE_OPTION,
    NULL_STRING,
    RemoveRecordTransform,
)
from typing_extensions import override

from tap_orgvue.singer.errors import StreamMapsInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from singer_sdk.mapper import PluginMapper, StreamMap

_OPTIONS = (
    MAPPER_ALIAS_OPTION,
    MAPPER_ELSE_OPTION,
    MAPPER_FILTER_OPTION,
    MAPPER_KEY_PROPERTIES_OPTION,
    MAPPER_SOURCE_OPTION,
)
_NULLS = (None, NULL_STRING)


@dataclass(frozen=True)
class MappableStream:
    """A stream that maps may name.

    Attributes:
        name: The stream's name before maps.
        columns: All columns, also deselected ones.
        keys: The columns of the key.
        selected: True if the stream is selected.
    """

    name: str
    columns: Collection[str]
    keys: Sequence[str]
    selected: bool


@dataclass(frozen=True)
class _Map:
    """One map of the setting.

    Attributes:
        key: Its key in the setting: a stream, a pattern, or a new name for its source.
        source: The name or pattern of the streams that it is applied to.
        columns: Column to expression, or to null if it is removed.
        options: All members, as `__filter__`.
        is_kept: False if the stream is removed.
    """

    key: str
    source: str
    columns: Mapping[str, Any]
    options: Mapping[str, Any]
    is_kept: bool = True

    @property
    def is_pattern(self) -> bool:
        return any(sign in self.source for sign in "*?[")

    def applies_to(self, stream: str) -> bool:
        return stream == self.source or fnmatch(stream, self.source)


class MappedStream(Stream):
    """A stream whose maps are made when they are needed, if the tap has not made them.

    The tap makes those of selected streams only; `--test=schema` needs all.
    """

    @property
    @override
    def stream_maps(self) -> list[StreamMap]:
        """The stream's maps, at least one.

        Raises:
            StreamMapsInvalid: The stream and a map contradict each other.
        """
        if self.name not in self._tap.mapper.stream_maps:
            register(self._tap.mapper, self.name, self.schema, self.primary_keys)
        return super().stream_maps


def has_filter(maps: Mapping[str, Any], stream: str) -> bool:
    """True if a map drops rows of a stream by `__filter__`.

    Args:
        maps: The setting.
        stream: The stream's name before maps.
    """
    return any(
        each.options.get(MAPPER_FILTER_OPTION) and each.applies_to(stream) for each in _read(maps)
    )


def altered_columns(maps: Mapping[str, Any], stream: str, columns: Iterable[str]) -> set[str]:
    """The columns of a stream that a map removes or calculates; all of a removed stream.

    Args:
        maps: The setting.
        stream: The stream's name before maps.
        columns: The stream's columns.
    """
    altered: set[str] = set()
    applied = [each for each in _read(maps) if each.applies_to(stream)]
    if not applied and MAPPER_ELSE_OPTION in maps:
        return {*columns}
    for column in columns:
        for each in applied:
            keeps = each.is_kept and MAPPER_ELSE_OPTION not in each.options
            if each.columns.get(column, column if keeps else None) != column:
                altered.add(column)
    return altered


def find_mistakes(
    maps: Mapping[str, Any], streams: Sequence[MappableStream], *, all_known: bool
) -> tuple[list[str], list[str]]:
    """Check the setting.

    Args:
        maps: The setting.
        streams: The streams that exist.
        all_known: False if others may exist, which this run leaves out.

    Returns:
        The mistakes, and the warnings: a sentence each.
    """
    warnings: list[str] = []
    if mistakes := list(_wrong_forms(maps)):
        return mistakes, warnings
    for each in _read(maps):
        named = [stream for stream in streams if each.applies_to(stream.name)]
        if not named:
            text = _unknown_stream(each, [stream.name for stream in streams])
            (warnings if each.is_pattern or not all_known else mistakes).append(text)
            continue
        mistakes += _unknown_columns(each, named)
        for stream in named:
            if stream.selected:
                mistakes += _lost_keys(each, stream)
    return mistakes, warnings


def register(
    mapper: PluginMapper, stream: str, schema: dict[str, Any], keys: Sequence[str] | None
) -> None:
    """Make a stream's maps for a schema.

    Raises:
        StreamMapsInvalid: The schema and a map contradict each other.
    """
    try:
        mapper.register_raw_stream_schema(stream, schema, keys)
    except (StreamMapConfigError, MapExpressionError, NotImplementedError) as error:
        raise StreamMapsInvalid(f"stream_maps: stream '{stream}': {error}") from None


def shared_tables(
    stream_maps: Mapping[str, Iterable[StreamMap]],
    names: Iterable[str],
    emits_versions: Callable[[str], bool],
) -> Iterator[str]:
    """Find streams whose ACTIVATE_VERSION would remove rows of another stream.

    Names are compared without case: some loaders fold it.

    Args:
        stream_maps: Selected streams with their maps.
        names: The names of all streams.
        emits_versions: Called with a stream's name, if it shares a table.

    Yields:
        A sentence for each shared table.
    """
    senders: dict[str, list[str]] = defaultdict(list)
    owners: dict[str, set[str]] = defaultdict(set)
    aliases: dict[str, str] = {}
    for name in names:
        owners[name.casefold()].add(name)
    for stream, maps in stream_maps.items():
        for stream_map in maps:
            if not isinstance(stream_map, RemoveRecordTransform):
                table = stream_map.stream_alias.casefold()
                senders[table].append(stream)
                aliases[table] = stream_map.stream_alias
    for table, of_table in senders.items():
        involved = owners[table].union(of_table)
        is_shared = len(of_table) > 1 or len(involved) > 1
        if is_shared and any(map(emits_versions, of_table)):
            both = " and ".join(f"'{name}'" for name in sorted(involved))
            yield (
                f"stream_maps: '{aliases[table]}' would be a table of more than one stream, or "
                f"copy of one: {both}. Since `emit_activate_version_messages` is true, rows of "
                "one would remove those of the other. Give each a name of its own."
            )


# --- the setting, read


def _read(maps: Mapping[str, Any]) -> Iterator[_Map]:
    """The maps of the setting; a stream that is removed has neither columns nor options."""
    for key, value in maps.items():
        if key == MAPPER_ELSE_OPTION:
            continue
        members = value if isinstance(value, dict) else {}
        columns = {name: each for name, each in members.items() if name not in _OPTIONS}
        source = members.get(MAPPER_SOURCE_OPTION, key)
        yield _Map(key, source, columns, members, is_kept=isinstance(value, dict))


# --- its mistakes


def _wrong_forms(maps: Mapping[str, Any]) -> Iterator[str]:
    """Members of a wrong type, and options that do not exist."""
    for key, value in maps.items():
        if key == MAPPER_ELSE_OPTION:
            if value not in _NULLS:
                yield f"stream_maps: `{key}` must be null."
        elif key.startswith("__"):
            yield f"stream_maps: there is no option `{key}`.{_hint(key, [MAPPER_ELSE_OPTION])}"
        elif isinstance(value, dict):
            yield from (f"stream_maps: '{key}': {text}" for text in _wrong_members(value))
        elif value not in _NULLS:
            yield f"stream_maps: '{key}' must be an object, or null to remove the stream."


def _wrong_members(members: Mapping[str, Any]) -> Iterator[str]:
    for name, value in members.items():
        if name == MAPPER_KEY_PROPERTIES_OPTION:
            is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
            if value is not None and not is_list:
                yield f"`{name}` must be a list of columns, or null."
        elif name == MAPPER_ELSE_OPTION:
            if value not in _NULLS:
                yield f"`{name}` must be null."
        elif name in _OPTIONS:
            is_text = isinstance(value, str) and bool(value.strip())
            if not is_text and not (value is None and name == MAPPER_FILTER_OPTION):
                yield f"`{name}` must be a text."
        elif name.startswith("__") and name.endswith("__"):
            yield f"there is no option `{name}`.{_hint(name, _OPTIONS)}"
        elif value is not None and not isinstance(value, str):
            yield f"the column '{name}' must be an expression in a text, or null to remove it."


def _unknown_stream(each: _Map, names: Sequence[str]) -> str:
    of = "" if each.key == each.source else f"'{each.key}': "
    if each.is_pattern:
        return f"stream_maps: {of}'{each.source}' matches no stream."
    return f"stream_maps: {of}there is no stream '{each.source}'.{_hint(each.source, names)}"


def _unknown_columns(each: _Map, streams: Sequence[MappableStream]) -> Iterator[str]:
    """Columns that are to be removed, and that none of the streams has."""
    known = sorted({name for stream in streams for name in stream.columns})
    for column, value in each.columns.items():
        if value in _NULLS and column not in known:
            found = (
                f"no stream that matches '{each.source}' has it"
                if each.is_pattern
                else f"the stream '{each.source}' lacks it"
            )
            yield (
                f"stream_maps: '{each.key}': the column '{column}' is to be removed, but {found}."
                f"{_hint(column, known)} Run `--discover` again if it is new."
            )


def _lost_keys(each: _Map, stream: MappableStream) -> Iterator[str]:
    """Columns of the key that the mapped stream lacks."""
    if MAPPER_KEY_PROPERTIES_OPTION in each.options:
        keys = each.options[MAPPER_KEY_PROPERTIES_OPTION] or []
    else:
        keys = stream.keys
    keeps_others = MAPPER_ELSE_OPTION not in each.options
    for key in keys:
        if each.columns.get(key) not in _NULLS:
            continue
        if key in each.columns:
            why = f"removes its key '{key}'"
        elif not keeps_others:
            why = f"drops its key '{key}', since `{MAPPER_ELSE_OPTION}` keeps named columns only"
        elif key not in stream.columns:
            why = f"has the key '{key}', which is no column of it"
        else:
            continue
        yield (
            f"stream_maps: '{each.key}': stream '{stream.name}' {why}. Add "
            f'`"{key}": "{key}"`, or set `{MAPPER_KEY_PROPERTIES_OPTION}` to other columns or '
            "to null."
        )


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""
