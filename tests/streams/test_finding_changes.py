"""Changes of a dataset: found between two runs, and told in the log."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from tap_orgvue.orgvue.models import Property
from tap_orgvue.reporting.run_report import (
    CHANGES,
    PROPERTY_ADDED,
    PROPERTY_GONE,
    PROPERTY_RENAMED,
    PROPERTY_RETYPED,
    ROWS_CHANGED,
    Change,
)
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column
from tap_orgvue.schema.known_properties import KnownProperties, KnownProperty
from tap_orgvue.streams.changes import SeenProperties, describe, property_changes, rows_change


def delivered(title: str, kind: ColumnType = ColumnType.TEXT, **members: Any) -> KnownProperty:
    """A property as an earlier run saw it, by default without values."""
    known = KnownProperty.delivered(kind, title, filled=False)
    return msgspec.structs.replace(known, **members)


def header(key: str, kind: str = "text", name: str = "") -> Property:
    """A column of an export, by default called as its key."""
    return Property(key, name or key, kind)


def column(key: str, title: str = "") -> Column:
    """A column of the catalog that was not requested."""
    return Column(key, key, ColumnType.TEXT, title)


def again(known: KnownProperties) -> KnownProperties:
    """What the next run reads of a state."""
    return KnownProperties.from_json(*known.to_json())


def long_keys(count: int) -> list[str]:
    """Keys for which a state has no room."""
    dice = random.Random(7)  # noqa: S311 - no secret
    return [f"{dice.getrandbits(256):x}" for _ in range(count)]


def test_properties_are_compared_by_their_keys() -> None:
    """Added, gone, renamed, retyped, in this order; what is as it was is no change."""
    known = KnownProperties(
        {
            "same": delivered("same"),
            "pay": delivered("Salary", ColumnType.NUMBER),
            "note": delivered("Note"),
            "seen": KnownProperty(),
            "hidden": delivered("Hidden"),
        }.items()
    )
    seen = SeenProperties(
        [header("same"), header("pay", name="Pay"), header("seen", "number"), header("new")],
        [column("other", "Another"), column("bare"), column("hidden")],
    )
    assert property_changes(known, seen, {}) == [
        Change(kind=PROPERTY_ADDED, name="new", now="new"),
        Change(kind=PROPERTY_ADDED, name="other", now="Another"),
        Change(kind=PROPERTY_ADDED, name="bare", now="bare"),
        Change(kind=PROPERTY_GONE, name="note", before="Note"),
        Change(kind=PROPERTY_RENAMED, name="pay", before="Salary", now="Pay"),
        Change(kind=PROPERTY_RETYPED, name="pay", before="number", now="text"),
    ]
    assert property_changes(KnownProperties(), seen, {}) == []


def test_nothing_is_gone_of_what_a_run_cannot_see() -> None:
    """A property that the run did not look at may still exist, and is remembered."""
    known = KnownProperties({"pay": delivered("pay"), "note": delivered("note")}.items())
    seen = SeenProperties([header("pay")], is_complete=False)
    assert property_changes(known, seen, {"note": "note"}) == []
    assert seen.remembered(known, None).find("note") == delivered("note")
    whole = SeenProperties([header("pay")])
    assert whole.remembered(known, None).keys() == ["pay"]


def test_the_catalog_may_know_the_name_that_the_state_has_no_room_for() -> None:
    """A state with a digest of the name takes it from the catalog, if it is the same name."""
    known = KnownProperties({"pay": delivered("Salary", name=None)}.items())
    renamed = SeenProperties([header("pay", name="Pay")])
    for titles, before in (({"pay": "Salary"}, "Salary"), ({"pay": "Wage"}, None), ({}, None)):
        (change,) = property_changes(known, renamed, titles)
        assert (change.before, change.now) == (before, "Pay")
    (gone,) = property_changes(known, SeenProperties([]), {"pay": "Wage"})
    assert (gone.name, gone.before) == ("pay", "Wage")


def test_keys_that_the_state_has_no_room_for_are_counted() -> None:
    """What is gone is named by the catalog, or else said to be there."""
    keys = long_keys(60)
    known = again(KnownProperties((key, delivered(key)) for key in keys))
    assert known.keys() == []
    seen = SeenProperties([header(key) for key in keys[3:]])
    assert property_changes(known, SeenProperties([header(key) for key in keys]), {}) == []
    unnamed = Change(kind=PROPERTY_GONE, name="")
    assert property_changes(known, seen, {}) == [unnamed] * 3
    titles = {keys[0]: "First", keys[9]: "Tenth", "new": "New"}
    first = Change(kind=PROPERTY_GONE, name=keys[0], before="First")
    assert property_changes(known, seen, titles) == [first, unnamed, unnamed]


def test_what_is_remembered_of_a_property() -> None:
    """Its type, its name, and whether it had values, as the last complete export showed."""
    known = KnownProperties(
        {
            "pay": delivered("Salary", filled=True),
            "note": delivered("Note"),
            "hidden": delivered("Hidden", filled=True),
        }.items()
    )
    seen = SeenProperties(
        [header("pay", "number", "Pay"), header("note")], [column("hidden"), column("new")]
    )
    assert seen.keys == ["pay", "note", "hidden", "new"]
    partly = seen.remembered(known, None)
    assert partly.find("pay") == delivered("Pay", ColumnType.NUMBER, filled=True)
    assert partly.find("note") == delivered("note")
    wholly = seen.remembered(known, {"note"})
    assert wholly.find("pay") == delivered("Pay", ColumnType.NUMBER)
    assert wholly.find("note") == delivered("note", filled=True)
    for remembered in (partly, wholly):
        assert remembered.keys() == ["hidden", "new", "note", "pay"]
        assert remembered.find("hidden") == delivered("Hidden", filled=True)
        assert remembered.find("new") == KnownProperty()


# --- rows


@pytest.mark.parametrize(
    "before,now,percent,told",
    [
        (100, 75, 25, False),
        (100, 74, 25, True),
        (100, 125, 25, False),
        (100, 126, 25, True),
        (99, 10, 25, False),
        (10, 100, 25, True),
        (0, 100, 25, True),
        (0, 99, 25, False),
        (100, 0, 25, True),
        (1000, 990, 1, False),
        (1000, 989, 1, True),
        (1000, 10, 0, False),
        (None, 1000, 25, False),
        (100, 1101, 1000, True),
    ],
)
def test_rows(before: int | None, now: int, percent: int, told: bool) -> None:  # noqa: FBT001
    """More than so many percent, from 100 rows on; 0 switches it off, a first run has nothing."""
    change = Change(kind=ROWS_CHANGED, name="people", before=str(before), now=str(now))
    assert rows_change("people", before, now, percent) == ([change] if told else [])


# --- the log


def test_every_kind_of_change_can_be_reported() -> None:
    """The kinds of the run report are those of the log."""
    found = [Change(kind=kind, name="a", before="1", now="2") for kind in CHANGES]
    line = describe("people", found, new_properties="add", rows_percent=25)
    assert line.count("`") == 2 * len(CHANGES)


@pytest.mark.parametrize(
    "change,told",
    [
        (
            Change(kind=PROPERTY_GONE, name="pay", before="Pay"),
            "Properties gone: 'pay'; `property_names` gives a column to a successor.",
        ),
        (
            Change(kind=PROPERTY_GONE, name=""),
            "Properties gone: one with a long key; `property_names` gives a column to a successor.",
        ),
        (
            Change(kind=PROPERTY_RENAMED, name="pay", now="Pay"),
            (
                "Renamed properties: 'pay' is called 'Pay' now; columns keep their names, "
                "`property_names` sets others."
            ),
        ),
        (
            Change(kind=PROPERTY_RENAMED, name="pay", before="Salary", now="Pay"),
            (
                "Renamed properties: 'pay' is called 'Pay' now, 'Salary' before; columns keep "
                "their names, `property_names` sets others."
            ),
        ),
        (
            Change(kind=ROWS_CHANGED, name="people", before="1000", now="0"),
            "It has 0 rows now, 1 000 before; `row_change_warn_percent` is 25.",
        ),
    ],
    ids=["gone", "gone unnamed", "renamed", "renamed from a name", "rows"],
)
def test_a_change_is_reported_in_a_sentence(change: Change, told: str) -> None:
    """With what is known of it, and the setting that handles it."""
    line = describe("people", [change], new_properties="add", rows_percent=25)
    assert line == f"Stream 'people': its dataset changed since the last run. {told}"


@pytest.mark.parametrize("count,end", [(10, "'p9';"), (13, "'p9', and 3 more;")])
def test_many_changes_are_cut(count: int, end: str) -> None:
    """A line names ten, and how many more there are."""
    found = [Change(kind=PROPERTY_ADDED, name=f"p{i}") for i in range(count)]
    line = describe("people", found, new_properties="add", rows_percent=25)
    assert end in line
