"""What a run tells of datasets that it should have sent: from the state, and from the catalog."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from tap_orgvue.exports.headers import NotReached, SkippedDataset
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.errors import (
    DatasetRefusal,
    MalformedResponse,
    OrgvueError,
    RequestInfo,
    Stopped,
)
from tap_orgvue.orgvue.models import Dataset
from tap_orgvue.streams.absent import (
    SkippedInCatalog,
    absent_streams,
    from_catalog,
    names_in,
    skipped_by,
    skipped_datasets,
    to_catalog,
)
from tap_orgvue.streams.identity import EarlierRuns
from tap_orgvue.streams.state import StreamState

if TYPE_CHECKING:
    from collections.abc import Sequence

PEOPLE, STAFF = "00000000-0000-4000-8000-00000000000A", "00000000-0000-4000-8000-00000000000B"
REFUSED = DatasetRefusal(RequestInfo("GET", "https://orgvue.test/a"), 403, trace_id="Root=1-abc")
FORBIDDEN = SkippedInCatalog(STAFF, "Staff", "No.", forbidden=True)
BROKEN = SkippedInCatalog(STAFF, "Staff", "A fault.", forbidden=False)


def tenant(**members: Any) -> Any:
    """A tenant with one stream of earlier runs, `staff`, that Orgvue lists; or as given.

    Args:
        **members: `listed` and `datasets`, lists of ids; `skipped`; `catalog`, whether there is
            one; `error` of a request for headers.
    """
    listed: Sequence[str] = members.get("listed", (STAFF,))
    read: list[str] = []

    def headers(dataset_id: str) -> None:
        read.append(dataset_id)
        if error := members.get("error"):
            raise error

    return SimpleNamespace(
        discovery=SimpleNamespace(
            skipped=members.get("skipped", []),
            datasets_by_id={each: Dataset(each, "Staff") for each in listed},
            has_catalog=members.get("catalog", False),
        ),
        settings=SimpleNamespace(datasets=members.get("datasets", [])),
        earlier=EarlierRuns({"staff": StreamState(dataset=STAFF), "old": StreamState()}),
        client=SimpleNamespace(logger=logging.getLogger("tap-orgvue")),
        headers=SimpleNamespace(read=headers),
        read=read,
    )


def absent(source: Any, *skipped: SkippedInCatalog, present: Sequence[str] = ()) -> list[str]:
    """The names of the streams that are absent."""
    return [name for name, _ in absent_streams(source, skipped, present)]


# --- streams of earlier runs


def test_a_stream_whose_dataset_is_gone_is_absent() -> None:
    """The error names stream and dataset, and both settings that end it."""
    ((name, error),) = absent_streams(tenant(listed=[]), [], [])
    assert name == "staff"
    for word in ("'staff'", STAFF, "`retired_streams`", "`missing_streams: warn`", "no longer"):
        assert word in str(error)
    assert error.remedy is Remedy.PERSON


def test_a_stream_whose_dataset_is_forbidden_is_absent() -> None:
    """With the reason, and what Orgvue's support asks for, if this run was refused."""
    skipped = [SkippedDataset(Dataset(STAFF.lower(), "Staff"), REFUSED)]
    for source, trace_id in ((tenant(skipped=skipped), "Root=1-abc"), (tenant(), "")):
        ((name, error),) = absent_streams(source, [FORBIDDEN], [])
        assert (name, error.trace_id) == ("staff", trace_id)
        assert str(error).endswith(" No.")


def test_a_dataset_that_was_skipped_for_a_fault_is_not_absent() -> None:
    """It is told as one that could not be read."""
    assert absent(tenant(listed=[]), BROKEN) == []


@pytest.mark.parametrize(
    "datasets,present,is_absent",
    [
        ([], [STAFF], False),
        ([], [PEOPLE], True),
        ([PEOPLE], [], False),
        ([STAFF.lower()], [], True),
        ([PEOPLE, STAFF], [], True),
        ([PEOPLE, "Peo*"], [], True),
        (["Peo*"], [], True),
    ],
    ids=str,
)
def test_only_ids_rule_a_dataset_out(
    datasets: list[str],
    present: list[str],
    is_absent: bool,  # noqa: FBT001 - what is expected
) -> None:
    """The name of a dataset that is gone is unknown: a pattern may have matched it."""
    source = tenant(listed=[], datasets=datasets)
    assert absent(source, present=present) == (["staff"] if is_absent else [])


@pytest.mark.parametrize(
    "how,told",
    [
        ({"catalog": True}, True),
        ({"catalog": True, "datasets": ["Peo*"]}, False),
        ({"catalog": False}, False),
    ],
    ids=str,
)
def test_a_stream_that_only_the_catalog_lacks_is_reported(
    caplog: pytest.LogCaptureFixture,
    how: dict[str, Any],
    told: bool,  # noqa: FBT001 - what is expected
) -> None:
    """The user may have left it out, so that it is no error."""
    caplog.set_level(logging.INFO)
    assert absent(tenant(**how)) == []
    assert [(r.levelno, "'staff'" in r.getMessage()) for r in caplog.records] == (
        [(logging.INFO, True)] if told else []
    )


# --- datasets that discovery skipped


@pytest.mark.parametrize("error", [REFUSED, NotReached("No time.")], ids=["refused", "no time"])
def test_a_dataset_that_is_refused_now_is_no_fault(error: OrgvueError) -> None:
    """Nor is one that a check had no time for."""
    source = tenant(error=error)
    assert list(skipped_datasets(source, [BROKEN])) == []
    assert source.read == [STAFF]


def test_a_forbidden_dataset_is_not_requested_again() -> None:
    """It was a warning in discovery."""
    source = tenant()
    assert list(skipped_datasets(source, [FORBIDDEN])) == []
    assert source.read == []


def test_a_dataset_that_fails_again_is_reported_with_the_new_reason() -> None:
    """The error keeps its kind: it says whether another run may succeed."""
    source = tenant(error=MalformedResponse("Another fault."))
    ((each, error),) = skipped_datasets(source, [BROKEN])
    assert each is BROKEN
    assert str(error) == "Dataset 'Staff' could not be read. Another fault."
    assert isinstance(error, MalformedResponse)


def test_a_dataset_that_can_be_read_again_needs_another_run() -> None:
    """It is in no catalog yet."""
    ((each, error),) = skipped_datasets(tenant(), [BROKEN])
    assert each is BROKEN
    for words in ("'Staff' was not sent", "Run again.", "A fault."):
        assert words in str(error)
    assert error.remedy is Remedy.LATER


def test_what_ends_the_run_is_no_dataset_s_fault() -> None:
    """Every other dataset would meet it, too."""
    with pytest.raises(Stopped):
        list(skipped_datasets(tenant(error=Stopped("The run is ending.")), [BROKEN]))


def test_an_entry_without_an_id_is_reported_as_it_is() -> None:
    """There is nothing to request; the datasets after it are requested."""
    entry = SkippedInCatalog("", "Entry 3", "Entry 3 has no `datasetId`.", forbidden=False)
    source = tenant()
    found = list(skipped_datasets(source, [FORBIDDEN, entry, BROKEN]))
    assert [each for each, _ in found] == [entry, BROKEN]
    assert str(found[0][1]) == "Entry 3 has no `datasetId`."
    assert source.read == [STAFF]


# --- the catalog


def test_the_catalog_keeps_what_discovery_skipped() -> None:
    """And the names of the other datasets, where they are known."""
    skipped = [SkippedDataset(Dataset(STAFF.lower(), "Staff"), REFUSED)]
    discovery = SimpleNamespace(skipped=skipped, bad_entries=["Entry 3 has no `datasetId`."])
    found = skipped_by(cast("Any", discovery))
    assert found == [
        SkippedInCatalog(STAFF, "Staff", str(REFUSED), forbidden=True),
        SkippedInCatalog(
            "", "Entry 3 has no `datasetId`.", "Entry 3 has no `datasetId`.", forbidden=False
        ),
    ]
    catalog = {"orgvue": to_catalog(found, {PEOPLE.lower(): "People", STAFF: None})}
    assert from_catalog(catalog) == found
    assert names_in(catalog) == {PEOPLE: "People"}
    assert catalog["orgvue"]["names"] == {PEOPLE.lower(): "People"}


@pytest.mark.parametrize(
    "catalog",
    [
        {},
        {"orgvue": None},
        {"orgvue": ["skipped", "names"]},
        {"orgvue": {}},
        {"orgvue": {"skipped": None, "names": None}},
        {"orgvue": {"skipped": [{"name": "Staff"}], "names": ["Staff"]}},
    ],
    ids=str,
)
def test_a_catalog_of_another_form_skips_and_names_nothing(catalog: dict[str, Any]) -> None:
    """One that an older version made, or somebody edited."""
    assert from_catalog(catalog) == []
    assert names_in(catalog) == {}


def test_no_catalog_names_nothing() -> None:
    """A run without a catalog takes the names of Orgvue's list."""
    assert names_in(None) == {}


def test_names_of_another_form_are_no_names() -> None:
    """A catalog that somebody edited gives the names that are texts."""
    assert names_in({"orgvue": {"names": {"a1": 7, "b2": "People"}}}) == {"B2": "People"}
