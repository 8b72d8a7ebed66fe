"""`stream_maps` name what exists, keep every key, and send no two streams to one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.simulator import Dataset, Property
from tap_orgvue.singer.errors import StreamMapsInvalid
from tap_orgvue.singer.stream_maps import (
    MappableStream,
    altered_columns,
    find_mistakes,
    has_filter,
)
from tests.support.datasets import people
from tests.support.runs import command, discover, only
from tests.support.small_tap import First, SmallStream, run_of, small_tap

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

STREAMS = [
    MappableStream("people", ["_id", "name", "salary"], ["_id"], selected=True),
    MappableStream("positions", ["_id", "title"], ["_id"], selected=True),
    MappableStream("logs", ["text"], [], selected=True),
    MappableStream("secret", ["_id", "code"], ["_id"], selected=False),
]

FINE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no other stream": {"__else__": None, "people": {}},
    "no other stream, in text": {"__else__": "__NULL__"},
    "a removed stream": {"people": None, "positions": "__NULL__"},
    "a removed column": {"people": {"salary": None, "name": "__NULL__"}},
    "a new column": {"people": {"nowhere": "salary"}},
    "a column of some streams": {"*": {"salary": None}},
    "a column of a deselected stream": {"secret": {"code": None}},
    "a key of a deselected stream": {"secret": {"_id": None, "__else__": None}},
    "a pattern": {"p*": {"__filter__": "_id", "__alias__": "x"}},
    "a source": {"copy": {"__source__": "people", "salary": None}},
    "no filter": {"people": {"__filter__": None}},
    "a key that is named": {"people": {"_id": "_id", "__else__": None}},
    "a key that is computed": {"people": {"_id": "name"}},
    "another key": {"people": {"__else__": None, "name": "name", "__key_properties__": ["name"]}},
    "a new key": {"people": {"__key_properties__": ["name"], "_id": None}},
    "no key": {"people": {"__else__": None, "__key_properties__": None}},
    "a stream without a key": {"logs": {"__else__": None}},
}


@pytest.mark.parametrize("maps", FINE.values(), ids=FINE.keys())
def test_maps_that_are_fine(maps: dict[str, Any]) -> None:
    """What can be applied is neither refused nor warned of."""
    assert find_mistakes(maps, STREAMS, all_known=True) == ([], [])


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a stream": (
        {"peple": {}},
        "there is no stream 'peple'. Did you mean 'people'?",
    ),
    "a removed stream": ({"zzz": None}, "there is no stream 'zzz'."),
    "a source": (
        {"copy": {"__source__": "peple"}},
        "'copy': there is no stream 'peple'. Did you mean 'people'?",
    ),
    "a column": (
        {"people": {"salry": None}},
        (
            "'people': the column 'salry' is to be removed, but the stream 'people' lacks "
            "it. Did you mean 'salary'? Run `--discover` again if it is new."
        ),
    ),
    "a column in text": (
        {"positions": {"pay": "__NULL__"}},
        (
            "'positions': the column 'pay' is to be removed, but the stream 'positions' "
            "lacks it. Run `--discover` again if it is new."
        ),
    ),
    "a column of a pattern": (
        {"p*": {"code": None}},
        (
            "'p*': the column 'code' is to be removed, but no stream that matches 'p*' "
            "has it. Run `--discover` again if it is new."
        ),
    ),
    "a column of a copy": (
        {"copy": {"__source__": "logs", "tex": None}},
        (
            "'copy': the column 'tex' is to be removed, but the stream 'logs' lacks it. "
            "Did you mean 'text'? Run `--discover` again if it is new."
        ),
    ),
    "a key that is dropped": (
        {"people": {"name": "name", "__else__": None}},
        (
            "'people': stream 'people' drops its key '_id', since `__else__` keeps named "
            'columns only. Add `"_id": "_id"`, or set `__key_properties__` to other columns or to '
            "null."
        ),
    ),
    "a key that is removed": (
        {"people": {"_id": "__NULL__"}},
        (
            "'people': stream 'people' removes its key '_id'. Add `\"_id\": \"_id\"`, or "
            "set `__key_properties__` to other columns or to null."
        ),
    ),
    "a key that is none": (
        {"people": {"__key_properties__": ["pay"]}},
        (
            "'people': stream 'people' has the key 'pay', which is no column of it. Add "
            '`"pay": "pay"`, or set `__key_properties__` to other columns or to null.'
        ),
    ),
    "an option": (
        {"__els__": None},
        "there is no option `__els__`. Did you mean '__else__'?",
    ),
    "an option of a stream": (
        {"people": {"__filtr__": "salary > 5"}},
        "'people': there is no option `__filtr__`. Did you mean '__filter__'?",
    ),
    "a value": ({"__else__": "x"}, "`__else__` must be null."),
    "a value of a stream": (
        {"people": {"__else__": {}}},
        "'people': `__else__` must be null.",
    ),
    "a stream's map": (
        {"people": "x"},
        "'people' must be an object, or null to remove the stream.",
    ),
    "an expression": (
        {"people": {"x": 5}},
        ("'people': the column 'x' must be an expression in a text, or null to remove it."),
    ),
    "a filter": (
        {"people": {"__filter__": []}},
        "'people': `__filter__` must be a text.",
    ),
    "an alias": (
        {"people": {"__alias__": " "}},
        "'people': `__alias__` must be a text.",
    ),
    "no alias": (
        {"people": {"__alias__": None}},
        "'people': `__alias__` must be a text.",
    ),
    "a key in text": (
        {"people": {"__key_properties__": "_id"}},
        "'people': `__key_properties__` must be a list of columns, or null.",
    ),
    "a key of numbers": (
        {"people": {"__key_properties__": [1]}},
        "'people': `__key_properties__` must be a list of columns, or null.",
    ),
}


@pytest.mark.parametrize("maps,mistake", WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_reported_in_words(maps: dict[str, Any], mistake: str) -> None:
    """With the stream, the column, and the name that was probably meant."""
    assert find_mistakes(maps, STREAMS, all_known=True) == ([f"stream_maps: {mistake}"], [])


def test_every_mistake_is_reported() -> None:
    """Not only the first; a pattern's, for each of its streams."""
    maps = {"peple": {}, "people": {"x": None, "y": None}, "*": {"__else__": None}}
    mistakes, _ = find_mistakes(maps, STREAMS, all_known=True)
    assert len(mistakes) == 5
    assert "stream 'positions' drops its key" in mistakes[-1]


@pytest.mark.parametrize(
    "maps,all_known",
    [({"zzz*": {"x": None}}, True), ({"copy": {"__source__": "[z]*"}}, True), ({"zzz": {}}, False)],
)
def test_what_may_exist_elsewhere_is_a_warning(maps: dict[str, Any], *, all_known: bool) -> None:
    """A pattern without streams, and any stream in a run that leaves streams out."""
    mistakes, warnings = find_mistakes(maps, STREAMS, all_known=all_known)
    assert mistakes == []
    assert len(warnings) == 1


@pytest.mark.parametrize(
    "maps,is_filtered",
    [
        ({"people": {"__filter__": "x"}}, True),
        ({"peo*": {"__filter__": "x"}}, True),
        ({"few": {"__source__": "people", "__filter__": "x"}}, True),
        ({"few": {"__source__": "peo*", "__filter__": "x"}}, True),
        ({"people": {"__filter__": None}}, False),
        ({"people": {"__source__": "positions", "__filter__": "x"}}, False),
        ({"positions": {"__filter__": "x"}, "people": {}}, False),
        ({"people": None, "__else__": None}, False),
    ],
)
def test_a_filter_is_known(maps: dict[str, Any], *, is_filtered: bool) -> None:
    """The table of a stream whose rows are filtered is not the dataset's mirror."""
    assert has_filter(maps, "people") is is_filtered


# --- in a tap


@pytest.mark.parametrize("config", [{"stream_maps": None}, {"stream_maps": {}}, {}])
def test_a_tap_without_maps(config: dict[str, Any]) -> None:
    """Null is nothing."""
    _, run = run_of(small_tap(config))
    assert len(run.records["first"]) == 3


def test_mistakes_end_the_tap() -> None:
    """A line for each, before anything else happens."""
    with pytest.raises(StreamMapsInvalid) as raised:
        small_tap({"stream_maps": {"frst": {}, "second": {"nmber": None}}})
    first, second = str(raised.value).splitlines()
    assert "'frst'" in first
    assert "'second'" in second
    assert "'nmber'" in second
    with pytest.raises(StreamMapsInvalid, match="must be an object"):
        small_tap({"stream_maps": ["first"]}, validate_config=False)


@pytest.mark.parametrize(
    "expression,words",
    [
        ({"number": "1 +"}, "Failed to parse expression 1 +"),
        ({"__alias__": "1 +"}, "Failed to evaluate"),
        ({"__filter__": ")"}, r"Failed to parse expression \)"),
    ],
)
def test_an_expression_that_cannot_be_read(expression: dict[str, Any], words: str) -> None:
    """The SDK's words, with the setting and the stream."""
    with pytest.raises(StreamMapsInvalid, match=f"stream_maps: stream 'first': {words}"):
        small_tap({"stream_maps": {"first": expression}})


def test_warnings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The run goes on."""
    tap = small_tap({"stream_maps": {"zzz*": {}}})
    assert "stream_maps: 'zzz*' matches no stream." in caplog.messages
    _, run = run_of(tap)
    assert len(run.records["first"]) == 3


@pytest.mark.parametrize(
    "maps", [{"*": {"number": None}}, {"second": {"number": None}}, {"second": {"letter": None}}]
)
def test_maps_of_deselected_streams(maps: dict[str, Any]) -> None:
    """They change nothing, whatever they say."""
    catalog = small_tap().catalog_dict
    only(catalog, "first")
    tap = small_tap({"stream_maps": maps}, catalog=catalog)
    _, run = run_of(tap)
    assert set(run.schemas) == {"first"}
    assert ("number" in run.records["first"][0]) is ("*" not in maps)


def test_the_setting_is_left_as_it_is() -> None:
    """The SDK takes `__else__` out of it."""
    config: dict[str, Any] = {"stream_maps": {"__else__": None, "first": {}}}
    tap = small_tap(config)
    _, run = run_of(tap)
    assert set(run.records) == {"first"}
    assert tap.config["stream_maps"] == {"__else__": None, "first": {}}


SHARED = {
    "two aliases": {"first": {"__alias__": "x"}, "second": {"__alias__": "X"}},
    "another stream's name": {"first": {"__alias__": "second"}},
    "the name of a removed stream": {"first": {"__alias__": "second"}, "second": None},
    "a pattern": {"*": {"__alias__": "x"}},
    "a copy of each": {"copy": {"__source__": "*"}},
    "a copy that is called as another stream": {
        "second": {"__source__": "first"},
    },
    "a copy that is called as its stream": {
        "copy": {"__source__": "first"},
        "first": {"__alias__": "copy"},
    },
    "swapped": {"first": {"__alias__": "second"}, "second": {"__alias__": "first"}},
}

SEPARATE = {
    "an alias": {"first": {"__alias__": "x"}},
    "its own name": {"first": {"__alias__": "first"}},
    "a copy": {"copy": {"__source__": "first"}},
    "two aliases": {"first": {"__alias__": "x"}, "second": {"__alias__": "y"}},
}


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams emit versions."""
    monkeypatch.setattr(SmallStream, "emit_activate_version_messages", True)


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize("maps", SHARED.values(), ids=SHARED.keys())
def test_no_two_streams_share_a_table(maps: dict[str, Any]) -> None:
    """The version of one would remove the rows of the other."""
    with pytest.raises(StreamMapsInvalid, match="would be a table of more than one stream"):
        small_tap({"stream_maps": maps})


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize("maps", SEPARATE.values(), ids=SEPARATE.keys())
def test_tables_of_their_own(maps: dict[str, Any]) -> None:
    """Other names are not refused."""
    small_tap({"stream_maps": maps})


@pytest.mark.parametrize("maps", SHARED.values(), ids=SHARED.keys())
def test_without_versions_tables_may_be_shared(maps: dict[str, Any]) -> None:
    """Rows are only added."""
    small_tap({"stream_maps": maps})


@pytest.mark.usefixtures("versions")
def test_incremental_streams_may_share_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """They activate no version; one that is read whole does."""
    maps = {"stream_maps": {"first": {"__alias__": "x"}, "second": {"__alias__": "x"}}}
    monkeypatch.setattr(SmallStream, "replication_key", "changed")
    monkeypatch.setattr(SmallStream, "replication_method", "INCREMENTAL")
    small_tap(maps)
    monkeypatch.setattr(First, "replication_method", "FULL_TABLE")
    with pytest.raises(StreamMapsInvalid, match="'first' and 'second'"):
        small_tap(maps)


@pytest.mark.usefixtures("versions")
def test_the_table_of_a_deselected_stream() -> None:
    """It may hold rows of other runs; a deselected stream itself removes none."""
    maps = {"stream_maps": {"first": {"__alias__": "second"}}}
    catalog = small_tap().catalog_dict
    with pytest.raises(StreamMapsInvalid, match="'first' and 'second'"):
        small_tap(maps, catalog=only(catalog, "first"))
    small_tap(maps, catalog=only(catalog, "second"))


@pytest.mark.usefixtures("versions")
def test_the_table_of_a_stream_that_is_gone() -> None:
    """The catalog has it still: it removes no rows itself, and those of others are not removed."""
    catalog = small_tap().catalog_dict
    catalog["streams"][1].update(tap_stream_id="gone", stream="gone")
    copies = {"gone": {"__alias__": "x"}, "x": {"__source__": "gone"}}
    small_tap({"stream_maps": copies}, catalog=catalog)
    with pytest.raises(StreamMapsInvalid, match="'first' and 'gone'"):
        small_tap({"stream_maps": {"gone": {"__alias__": "first"}}}, catalog=catalog)


# --- with the real command


@pytest.fixture
def tenant(serve: Callable[..., Orgvue]) -> Orgvue:
    """People, and a dataset without most of their columns."""
    return serve(people(3), Dataset("Posts", properties=[Property("title")], rows=[{"title": "a"}]))


@pytest.mark.parametrize(
    "maps,words",
    [
        ({"peple": {"salary": None}}, ["'peple'", "'people'"]),
        ({"people": {"salry": None}}, ["'people'", "'salry'", "'salary'"]),
        ({"people": {"id": "id", "__else__": None}}, ["'people'", "'_id'"]),
    ],
)
def test_nothing_is_sent_or_requested(
    tenant: Orgvue, maps: dict[str, Any], words: list[str]
) -> None:
    """An error that names both, before the first request."""
    catalog, before = discover(tenant.config), len(tenant.requests)
    run = command({**tenant.config, "stream_maps": maps}, catalog=catalog)
    assert run.code == 3
    assert run.stdout == ""
    assert len(tenant.requests) == before
    last = run.stderr.splitlines()[-1]
    assert all(word in last for word in words)
    assert "Traceback" not in run.stderr


@pytest.mark.slow
def test_a_column_is_removed_from_every_stream(tenant: Orgvue) -> None:
    """`*` names all streams, also those that lack the column, and those that are deselected."""
    maps = {"stream_maps": {"*": {"salary": None}, "orgvue_datasets": {"tags": None}}}
    catalog = only(discover(tenant.config), "people", "posts")
    run = command({**tenant.config, **maps}, catalog=catalog)
    assert run.code == 0
    assert set(run.records) == {"people", "posts"}
    assert "salary" not in run.records["people"][0]


def test_streams_that_a_run_leaves_out(tenant: Orgvue) -> None:
    """`datasets` may leave out a stream that maps name: one line, and the run goes on."""
    config = {**tenant.config, "datasets": ["Posts"], "stream_maps": {"people": {"salary": None}}}
    run = command(config)
    assert run.code == 0
    assert set(run.records) == {"posts"}
    assert "stream_maps: there is no stream 'people'." in run.stderr


@pytest.mark.slow
def test_two_datasets_in_one_table(tenant: Orgvue) -> None:
    """Refused where rows would be removed."""
    maps = {"posts": {"__alias__": "people"}}
    config = {**tenant.config, "stream_maps": maps, "emit_activate_version_messages": True}
    run = command(config)
    assert run.code == 3
    assert run.stdout == ""
    assert "'people' and 'posts'" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "maps,altered",
    [
        ({}, set()),
        ({"people": {}}, set()),
        ({"people": {"salary": None}}, {"salary"}),
        ({"people": {"salary": "float(salary)", "new": "1"}}, {"salary"}),
        ({"people": {"salary": "salary"}}, set()),
        ({"people": {"salary": "salary", "__else__": None}}, {"_id", "name"}),
        ({"p*": {"name": None}}, {"name"}),
        ({"people": None}, {"_id", "name", "salary"}),
        ({"positions": {"name": None}}, set()),
        ({"positions": {}, "__else__": None}, {"_id", "name", "salary"}),
        ({"people": {}, "__else__": None}, set()),
    ],
)
def test_columns_that_maps_alter(maps: dict[str, Any], altered: set[str]) -> None:
    """Those that are removed or calculated; all of a stream that is removed."""
    assert altered_columns(maps, "people", ["_id", "name", "salary"]) == altered
