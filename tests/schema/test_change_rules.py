"""Which values of a draft's changes may be sent: in doubt, none."""

from __future__ import annotations

from typing import Any

import pytest
from typing_extensions import override

from tap_orgvue.orgvue.models import Property
from tap_orgvue.schema.change_rules import (
    AnyDatasetRules,
    DatasetRules,
    KnownTreatments,
    Treatment,
    protected_forms,
)
from tap_orgvue.schema.column_rules import ColumnRules
from tap_orgvue.schema.column_types import ColumnType

PROPERTIES = {
    "_id": [Property("_id")],
    "salary": [Property("salary", "Pay", "number"), Property("salary", "Base Pay", "number")],
    "start": [Property("start", "Start", ""), Property("start", "Start", "date")],
    "team": [Property("team", "Team", "text")],
}


def rules(*read: str, are_known: bool = True, **settings: Any) -> DatasetRules:
    """The rules of the dataset of people, by default in a run that reads all of it."""
    keys = set(read or PROPERTIES)
    return DatasetRules("people", ColumnRules(**settings), PROPERTIES, keys, are_known)


@pytest.mark.parametrize(
    "key,settings,treatment",
    [
        ("salary", {}, Treatment.SEND),
        ("salary", {"hashed": ("salary",)}, Treatment.HASH),
        ("salary", {"hashed": ("people.salary",)}, Treatment.HASH),
        ("salary", {"hashed": ("orgvue_draft_actions.base pay",)}, Treatment.HASH),
        ("salary", {"excluded": ("pay",)}, Treatment.EXCLUDED),
        ("salary", {"excluded": ("orgvue_draft_actions.salary",)}, Treatment.EXCLUDED),
        ("salary", {"excluded": ("salary",), "hashed": ("salary",)}, Treatment.EXCLUDED),
        ("salary", {"excluded": ("positions.salary",)}, Treatment.SEND),
        ("_id", {"excluded": ("*",)}, Treatment.SEND),
        ("other", {}, Treatment.UNKNOWN),
    ],
)
def test_a_property(key: str, settings: dict[str, Any], treatment: Treatment) -> None:
    """The user's rules hold in changes, too, by key and by each display name."""
    assert rules(**settings).treatment(key) is treatment


def test_a_property_that_the_run_does_not_read() -> None:
    """It is in no change, and what is excluded is told as excluded."""
    assert rules("_id").treatment("salary") is Treatment.DESELECTED
    assert rules("_id", excluded=("salary",)).treatment("salary") is Treatment.EXCLUDED
    assert rules("_id", hashed=("salary",)).treatment("salary") is Treatment.DESELECTED


def test_a_dataset_whose_properties_are_refused() -> None:
    """Only the ids of items are sent."""
    refused = rules(are_known=False)
    assert refused.treatment("salary") is Treatment.UNREADABLE
    assert refused.treatment("other") is Treatment.UNREADABLE
    assert refused.treatment("_id") is Treatment.SEND


def test_what_the_user_decides() -> None:
    """Only what the user did not ask for is worth a warning."""
    sent = {Treatment.SEND, Treatment.HASH}
    assert {each for each in Treatment if each.is_sent} == sent
    intended = {each for each in Treatment if each.is_intended}
    assert intended == sent | {Treatment.EXCLUDED, Treatment.DESELECTED}


def test_types_of_hashed_values() -> None:
    """A value is hashed as one of its declared type, so that it equals the column's hash."""
    assert rules().declared_type("salary") is ColumnType.NUMBER
    assert rules().declared_type("start") is ColumnType.DATE, "the first that is told"
    assert rules().declared_type("_id") is ColumnType.TEXT
    assert rules().declared_type("other") is ColumnType.TEXT


@pytest.mark.parametrize("other", ["weight", "link_id"])
@pytest.mark.parametrize("missing", [None, "from_id", "to_id", "link_id"])
def test_a_dataset_of_links(missing: str | None, other: str) -> None:
    """One that has all three ids of links, alone or with anything else beside them."""
    keys = {"from_id", "to_id", "link_id", other} - {missing}
    known = {key: [Property(key)] for key in keys}
    links = DatasetRules("links", ColumnRules(), known, set())
    assert links.is_of_links is (missing is None)


def test_names_of_protected_properties() -> None:
    """Key and every display name are protected, each with the pattern that does so."""
    protected = rules(excluded=("people.pay",), hashed=("team", "orgvue_draft_actions.te*"))
    assert protected.protected_names() == {"salary", "Pay", "Base Pay", "team", "Team"}
    assert set(protected.protections()) == {
        ("people.pay", "salary"),
        ("team", "team"),
        ("orgvue_draft_actions.te*", "team"),
    }


def test_a_change_of_any_dataset() -> None:
    """Only a property that each dataset which has it sends in clear is sent."""
    people = rules()
    others = DatasetRules(
        "others",
        ColumnRules(excluded=("others.team",)),
        {"_id": [Property("_id")], "team": [Property("team", "Crew")], "x": [Property("x")]},
        {"_id", "team", "x"},
    )
    anyone = AnyDatasetRules([people, others])
    assert anyone.treatment("_id") is Treatment.SEND
    assert anyone.treatment("salary") is Treatment.SEND, "only people have it"
    assert anyone.treatment("team") is Treatment.UNSURE
    assert anyone.treatment("nobody's") is Treatment.UNKNOWN
    assert AnyDatasetRules([rules(hashed=("team",))]).treatment("team") is Treatment.UNSURE
    assert anyone.protected_names() == {"team", "Crew"}
    assert anyone.declared_type("salary") is ColumnType.TEXT
    assert not anyone.is_of_links
    assert anyone.are_known
    assert not AnyDatasetRules([people, rules(are_known=False)]).are_known


def test_treatments_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is looked up once; of many more keys than a dataset has, the first ones."""
    monkeypatch.setattr(KnownTreatments, "_MOST", 2)
    known = KnownTreatments(rules(hashed=("team",)))
    assert [known[key] for key in ("team", "salary", "team", "other")] == [
        *(Treatment.HASH, Treatment.SEND, Treatment.HASH, Treatment.UNKNOWN),
    ]
    assert list(known) == ["team", "salary"]


@pytest.mark.parametrize(
    "value",
    [
        {"salary": 1},
        {"Pay": 1},
        {" BASE\u00a0pay": 1},
        {"x": 1, "salary": None},
        [1, {"salary": 1}],
        {"x": 1, "y": {"salary": 1}},
        [[{"x": [{"team": 1, "salary": 1}]}]],
    ],
)
@pytest.mark.parametrize("protected", [{"excluded": ("salary",)}, {"hashed": ("salary",)}])
def test_a_nested_value_that_holds_a_protected_property(
    protected: dict[str, Any], value: object
) -> None:
    """A member is found at any depth, by the property's key and by each of its display names."""
    known = KnownTreatments(rules(**protected))
    assert known.holds_unsent(value)
    assert not KnownTreatments(rules()).holds_unsent(value)


@pytest.mark.parametrize(
    "value",
    [
        *("salary", 1, None, [], {}, ["salary", 1], {"x": "salary"}, {"team": ["salary"]}),
        {"x": {"team": 1}, "start": [{}]},
    ],
)
def test_a_nested_value_that_holds_no_protected_property(value: object) -> None:
    """Only a member's name counts: a text is none, and other properties may be members."""
    assert not KnownTreatments(rules(excluded=("salary",))).holds_unsent(value)


def test_a_nested_value_with_a_property_that_is_not_read() -> None:
    """What is not read, or of a dataset that cannot be read, is not sent within a value either."""
    assert KnownTreatments(rules("_id", "team")).holds_unsent({"x": [{"start": 1}]})
    assert not KnownTreatments(rules("_id", "team")).holds_unsent({"x": [{"team": 1}]})
    assert KnownTreatments(rules(are_known=False)).holds_unsent({"x": 1})
    unsure = AnyDatasetRules([rules("_id", "team"), rules()])
    assert KnownTreatments(unsure).holds_unsent([{"start": 1}])
    assert not KnownTreatments(unsure).holds_unsent([{"team": 1}])


def test_protected_names_are_compared_as_patterns_are() -> None:
    """Case and white space make no difference, and names of other properties are not among them."""
    forms = protected_forms(rules(hashed=("salary",)))
    assert {"salary", "pay", "base pay"} <= forms
    assert not forms & {"team", "start", "_id"}


def test_protected_names_are_looked_up_once() -> None:
    """However many nested values a draft has, its dataset's properties are gone through once."""

    class Counted(AnyDatasetRules):
        lookups = 0

        @override
        def protected_names(self) -> set[str]:
            self.lookups += 1
            return super().protected_names()

    counted = Counted([rules(excluded=("salary",))])
    known = KnownTreatments(counted)
    assert counted.lookups == 0
    assert [known.holds_unsent({name: 1}) for name in ("x", "Pay", "y")] == [False, True, False]
    assert counted.lookups == 1
