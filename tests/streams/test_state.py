"""The tap's own state of a stream: what is written is read, and what is odd counts as missing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column
from tap_orgvue.streams.state import ExportScope, StreamState, fingerprint_of

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)

STATE: dict[str, Any] = {
    "tenant": "DEMO",
    "dataset": "0B53C2F0",
    "naming": "original",
    "columns": "",
    "names": [],
    "properties": ":",
    "details": "",
    "owned": "",
    "protected": [["salary*", "salary"], ["Pay", "salary"]],
    "question": ["of-filter", "of-linking", "false", "of-key"],
    "dataset_name": "People",
    "row_count": 5,
    "rows": 4,
    "version": 17,
    "permissioned": False,
    "cache_key": "key",
    "fingerprint": "print",
    "exported_at": "2026-03-04T05:06:07.000Z",
}
"""A state as a run writes it."""


def read(**members: Any) -> StreamState:
    """The state, with some members as given."""
    return StreamState.from_bookmark({"orgvue": {**STATE, **members}})


# --- the form


def test_a_state_is_read_as_it_was_written() -> None:
    """Each version of the tap reads the states of those before it: names and forms stay."""
    state = read()
    assert state.to_json() == STATE
    assert state.protected == [("salary*", "salary"), ("Pay", "salary")]
    assert state.scope == ExportScope("of-filter", "of-linking", "false", "of-key")
    assert state.exported_at == NOW
    assert (state.row_count, state.rows, state.version) == (5, 4, 17)


def test_a_state_before_the_first_run_has_every_member() -> None:
    """A member that is left out would keep its old value where Meltano merges states."""
    empty = StreamState().to_json()
    assert empty.keys() == STATE.keys()
    assert {name for name, value in empty.items() if value is not None} == {
        *("naming", "columns", "names", "properties", "details", "owned", "protected"),
    }
    assert StreamState.from_bookmark({"orgvue": empty}).to_json() == empty


@pytest.mark.parametrize("bookmark", [{}, {"orgvue": None}, {"orgvue": ["DEMO"]}], ids=str)
def test_a_bookmark_without_a_state_is_an_empty_one(bookmark: dict[str, Any]) -> None:
    """A state that the SDK alone wrote is that of a stream that never ran."""
    assert StreamState.from_bookmark(bookmark).to_json() == StreamState().to_json()


@pytest.mark.parametrize(
    "member,value",
    [
        ("tenant", 5),
        ("dataset", ["0B53C2F0"]),
        ("naming", None),
        ("protected", None),
        ("protected", {"salary*": "salary"}),
        ("protected", ["ab", ["salary"], ["salary", 5], ["a", "b", "c"], 5]),
        ("question", None),
        ("question", "abcd"),
        ("question", ["of-filter", "of-linking", "false"]),
        ("question", ["of-filter", "of-linking", "false", 5]),
        ("question", ["of-filter", "of-linking", "false", "of-key", "more"]),
        ("dataset_name", 5),
        ("row_count", "5"),
        ("rows", 4.5),
        ("version", "17"),
        ("permissioned", "no"),
        ("cache_key", 5),
        ("fingerprint", 5),
        ("exported_at", None),
        ("exported_at", "yesterday"),
    ],
    ids=str,
)
def test_a_member_of_another_form_counts_as_missing(member: str, value: object) -> None:
    """The other members are read all the same."""
    assert read(**{member: value}).to_json() == {**STATE, member: StreamState().to_json()[member]}


def test_a_state_of_version_0_0_has_the_types_of_its_columns() -> None:
    """It knew types by column name, and no owners; types of another form are none."""
    old = StreamState.from_bookmark({"orgvue": {"types": {"number": ["salary"]}, "rows": 3}})
    assert old.owners.earlier_type("salary") is ColumnType.NUMBER
    assert old.rows == 3
    odd = StreamState.from_bookmark({"orgvue": {"types": ["salary"]}})
    assert odd.owners.is_empty
    new = StreamState.from_bookmark({"orgvue": {**STATE, "types": {"number": ["salary"]}}})
    assert new.owners.is_empty


def test_columns_that_a_complete_run_did_not_read_are_known_as_such() -> None:
    """A later run with them must read all rows."""
    state = StreamState()
    a, b = (Column(name, name, ColumnType.TEXT) for name in "ab")
    state.remember_columns([a, b], complete=True)
    state.remember_columns([a], complete=True)
    kept = StreamState.from_bookmark({"orgvue": state.to_json()}).owners
    assert [(found := kept.column(name)) is not None and found.is_read for name in "ab"] == [
        True,
        False,
    ]


# --- the scope


def scope(**parts: Any) -> ExportScope:
    """The scope of an export without filter, links and hashes, or with some of them."""
    return ExportScope.of(
        parts.get("filter", {}),
        parts.get("linking", ()),
        include_calculations=parts.get("calculations", True),
        hash_key=parts.get("hash_key"),
    )


def test_the_scope_is_written_alike_by_every_version() -> None:
    """Another digest of the same settings would read every incremental stream anew."""
    whole = scope(
        filter={"salary": {"$gt": 5}, "id": "P1"},
        linking=["B", "A"],
        calculations=False,
        hash_key=b"0123456789abcdef",
    )
    assert msgspec.structs.astuple(whole) == ("eb56264f4b63", "f2314439597c", "false", "f1eb3e0c")
    assert msgspec.structs.astuple(scope()) == ("", "", "true", "")
    assert scope() == ExportScope()


def test_the_order_of_settings_is_no_part_of_the_scope() -> None:
    """The same conditions and the same links in another order are the same export."""
    assert scope(filter={"a": 1, "b": 2}) == scope(filter={"b": 2, "a": 1})
    assert scope(linking=["A", "B"]) == scope(linking=["B", "A"])


@pytest.mark.parametrize(
    "parts,reason",
    [
        ({"filter": {"id": "P1"}}, "its filter changed"),
        ({"linking": ["A"]}, "`linking_relationships` changed"),
        ({"calculations": False}, "`include_calculations` changed"),
    ],
    ids=str,
)
@pytest.mark.parametrize("hashes", [True, False])
def test_each_part_of_the_scope_is_a_reason(
    parts: dict[str, Any], reason: str, *, hashes: bool
) -> None:
    """Set or taken back, it is named; what stayed is not."""
    assert scope(**parts).changes(scope(), hashes=hashes) == [reason]
    assert scope().changes(scope(**parts), hashes=hashes) == [reason]
    assert scope(**parts).changes(scope(**parts), hashes=hashes) == []


@pytest.mark.parametrize(
    "before,now,hashes,told",
    [
        (b"old", b"new", True, True),
        (b"old", None, True, True),
        (b"old", b"new", False, False),
        (b"old", b"old", True, False),
        (None, b"new", True, False),
    ],
)
def test_another_hash_key_is_a_reason_where_values_are_hashed(
    before: bytes | None,
    now: bytes | None,
    hashes: bool,  # noqa: FBT001 - one of the cases
    told: bool,  # noqa: FBT001 - what is expected
) -> None:
    """The first key is none: the columns that are hashed from now on are a reason themselves."""
    found = scope(hash_key=now).changes(scope(hash_key=before), hashes=hashes)
    assert found == (["`hash_key` changed"] if told else [])


def test_only_calculations_hide_properties() -> None:
    """Properties are compared between exports that could have the same ones."""
    assert scope(filter={"id": "P1"}, linking=["A"], hash_key=b"k").sees_as(scope())
    assert scope(calculations=False).sees_as(None)
    assert not scope(calculations=False).sees_as(scope())
    assert not scope().sees_as(scope(calculations=False))


# --- versions and unchanged datasets


@pytest.mark.parametrize("before,version", [(None, 100), (98, 100), (99, 100), (100, 101)])
def test_a_version_is_greater_than_every_one_before(before: int | None, version: int) -> None:
    """It is the clock's time, or the next number where the clock does not suffice."""
    assert StreamState(version=before).next_version(100) == version


UNCHANGED: dict[str, Any] = {"cache_key": "key", "fingerprint": "print", "now": NOW}


@pytest.mark.parametrize(
    "members,question,unchanged",
    [
        ({}, {}, True),
        ({}, {"now": NOW + timedelta(days=7, microseconds=-1)}, True),
        ({}, {"now": NOW + timedelta(days=7)}, False),
        ({}, {"now": NOW - timedelta(microseconds=1)}, False),
        ({}, {"cache_key": "another"}, False),
        ({}, {"fingerprint": "another"}, False),
        ({}, {"cache_key": None}, False),
        ({"cache_key": None}, {"cache_key": None}, False),
        ({"exported_at": None}, {}, False),
    ],
    ids=str,
)
def test_a_dataset_is_unchanged_for_some_days(
    members: dict[str, Any],
    question: dict[str, Any],
    unchanged: bool,  # noqa: FBT001 - what is expected
) -> None:
    """If key and request are those of its last export, which is not dated in the future."""
    assert read(**members).is_unchanged(**{**UNCHANGED, **question}, max_days=7) is unchanged


def test_an_export_that_is_remembered_is_unchanged() -> None:
    """From the moment of its end on."""
    state = StreamState()
    state.remember_export("key", "print")
    now = datetime.now(timezone.utc)
    assert state.is_unchanged("key", "print", now=now, max_days=1)


def test_every_part_of_a_request_is_in_its_fingerprint() -> None:
    """Other values, and values in another order, are another request."""
    prints = {fingerprint_of(*parts) for parts in ((1, "a"), ("a", 1), (1,), (1, "a", None))}
    assert len(prints) == 4
    assert fingerprint_of(1, "a") == fingerprint_of(1, "a")
