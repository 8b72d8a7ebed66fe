"""The streams of earlier runs, as a state has them."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column
from tap_orgvue.settings import SettingsError
from tap_orgvue.streams.identity import EarlierRuns, forget_other_streams, read_earlier_runs
from tap_orgvue.streams.state import StreamState

PAY = Column("pay", "pay", ColumnType.NUMBER)


def loaded(**members: Any) -> StreamState:
    """The state of a stream that has a column."""
    state = StreamState(**members)
    state.remember_columns([PAY], complete=True)
    return state


def written(**states: StreamState) -> dict[str, Any]:
    """The tap's state with these streams."""
    return {"bookmarks": {name: {"orgvue": each.to_json()} for name, each in states.items()}}


# --- datasets and names


def test_streams_are_found_by_their_datasets() -> None:
    """And datasets by their streams, as far as the state knows them."""
    earlier = EarlierRuns({"people": StreamState(dataset="A1"), "old": StreamState()})
    assert earlier.stream_owners == {"A1": "people"}
    assert [earlier.dataset_of(name) for name in ("people", "old", "new")] == ["A1", None, None]


@pytest.mark.parametrize(
    "owner,is_found", [("A1", True), (None, True), ("B2", False)], ids=["own", "unknown", "other"]
)
def test_a_state_of_another_dataset_is_none_of_a_stream(
    owner: str | None,
    is_found: bool,  # noqa: FBT001 - what is expected
) -> None:
    """One that an older version wrote, without a dataset, is the stream's."""
    state = StreamState(dataset=owner, row_count=5)
    earlier = EarlierRuns({"people": state})
    assert (earlier.state_of("people", "a1") is state) is is_found
    assert earlier.state_of("people", "a1").row_count == (5 if is_found else None)
    assert earlier.state_of("new", "a1").row_count is None


def test_names_can_be_compared_once_one_is_known() -> None:
    """Before that, nobody needs the list of datasets."""
    named, unnamed = StreamState(dataset_name="People"), StreamState()
    assert EarlierRuns({"a": unnamed, "b": named}).has_dataset_names
    assert not EarlierRuns({"a": unnamed}).has_dataset_names
    assert not EarlierRuns().has_dataset_names


def test_protections_are_kept_by_stream_and_property() -> None:
    """All patterns of a property together."""
    people = StreamState(protected=[("Pay", "pay"), ("p*", "pay"), ("p*", "post")])
    assert EarlierRuns({"people": people, "staff": StreamState()}).protections == {
        ("people", "pay"): frozenset({"Pay", "p*"}),
        ("people", "post"): frozenset({"p*"}),
    }


# --- tenants and versions


def test_the_streams_of_the_tenant_are_read() -> None:
    """Those of no tenant are adopted, and a state without streams is no other tenant's."""
    state = written(people=loaded(tenant="DEMO", dataset="A1"), own=StreamState())
    earlier = read_earlier_runs(state, "DEMO")
    assert earlier.states.keys() == {"people", "own"}
    assert earlier.warnings == ()
    assert read_earlier_runs({}, "DEMO") == EarlierRuns()


@pytest.mark.parametrize(
    "retired", [["People"], ["a1"], ["other", "A1"], ["PEOPLE", "A1"]], ids=str
)
def test_retired_streams_are_forgotten(retired: list[str]) -> None:
    """By name or by dataset, in any case; the others stay, also without a dataset."""
    state = written(people=StreamState(dataset="A1"), staff=StreamState(dataset="B2"))
    state["bookmarks"]["orgvue_datasets"] = {}
    earlier = read_earlier_runs(state, "DEMO", retired=retired)
    assert earlier.states.keys() == {"staff", "orgvue_datasets"}
    forget_other_streams(state, earlier)
    assert state["bookmarks"].keys() == {"staff", "orgvue_datasets"}
    forget_other_streams({}, earlier)


def test_a_state_of_another_tenant_is_refused() -> None:
    """If no stream of it is this tenant's; one without a tenant may be anyone's."""
    other = {"a": StreamState(tenant="OTHER"), "b": StreamState(tenant="THIRD")}
    for states in (other, {**other, "c": StreamState()}):
        with pytest.raises(SettingsError, match="the tenant OTHER, THIRD, and this run reads DEMO"):
            read_earlier_runs(written(**states), "DEMO")


def test_single_streams_of_another_tenant_are_ignored() -> None:
    """With one warning that names them, and their tenants."""
    state = written(
        staff=StreamState(tenant="OTHER"),
        people=StreamState(tenant="DEMO", dataset="A1"),
        posts=StreamState(tenant="OTHER"),
    )
    earlier = read_earlier_runs(state, "DEMO")
    assert earlier.states.keys() == {"people"}
    (warning,) = earlier.warnings
    assert "another tenant (OTHER), which are ignored: posts, staff." in warning
    assert "--state-id-suffix" in warning
    forget_other_streams(state, earlier)
    assert state["bookmarks"].keys() == {"people"}


def test_streams_without_owners_are_reported() -> None:
    """An older version kept columns and no datasets; a stream that never ran has neither."""
    state = written(people=loaded(), staff=loaded(dataset="B2"), new=StreamState())
    earlier = read_earlier_runs(state, "DEMO")
    assert earlier.without_owners == ["people"]
    (warning,) = earlier.warnings
    assert "belongs to: people." in warning
    assert "CHANGELOG" in warning
