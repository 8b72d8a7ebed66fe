"""`tap-orgvue --test` of drafts: which would be sent, which not and why, and what their list is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.simulator import Draft, Orgvue
from tests.support.checks import check, planned, results
from tests.support.drafts import ACTIONS, CHANGES, DRAFTS, posts, staff, tenant, with_drafts
from tests.support.runs import command, discover, select

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def orgvue() -> Iterator[Orgvue]:
    """Two drafts of staff, one of them with two layers, and one of posts."""
    base, other = staff(), posts()
    drafts = [
        Draft("Hiring plan", CHANGES, base=base, layers={"later": CHANGES[:1]}),
        Draft("Reorganisation", CHANGES, base=base),
        Draft("Budget", base=other),
    ]
    with tenant([base, other], *drafts) as served:
        served.job_polls = ("completed",)
        yield served


@pytest.mark.slow
def test_which_drafts_are_sent_and_which_are_refused(orgvue: Orgvue) -> None:
    """The plan names each that `drafts` matches, and why it is refused; no change is requested."""
    config = with_drafts(orgvue, "Hiring*", "Budget", "Nothing", filters={"posts": {"grade": 1}})
    report = check(config)
    drafts = report["drafts"]
    assert drafts["listed"] == 3
    told = [(each["name"], each["layers"], each["sent"]) for each in drafts["matched"]]
    assert told == [("Hiring plan", ["default", "later"], True), ("Budget", ["default"], False)]
    assert "`filters` is set for its dataset" in drafts["matched"][1]["reason"]
    warned = "\n".join(report["warnings"])
    assert "'Budget'" in warned
    assert "no draft's id or name matches 'Nothing'" in warned
    for name in (DRAFTS, ACTIONS):
        row = planned(report, name)
        assert (row["readable"], row["source"], row["fails"]) == ("yes", "drafts", False)
    assert {each.route for each in orgvue.requests if "draft" in each.route} == {"drafts"}
    shown = command(config, "--test").stdout
    assert "3 listed, 2 matched by `drafts`, 1 of them sent in 2 layers, 1 refused\n" in shown
    assert report["exit_code"] == 0


@pytest.mark.slow
def test_the_list_is_an_assumption(orgvue: Orgvue) -> None:
    """With the setting its form is looked at; without it nothing of drafts is requested."""
    held = results(check(with_drafts(orgvue)))
    assert (held["draft-list"], held["draft-base"]) == ("held", "held")
    asked = len(orgvue.requests)
    report = check(orgvue.config)
    assert results(report)["draft-list"] == "not_checked"
    assert report["drafts"] is None
    assert not [each for each in orgvue.requests[asked:] if "draft" in each.route]


@pytest.mark.slow
def test_another_form_of_the_list_is_reported(orgvue: Orgvue) -> None:
    """An entry without a dataset is told by its number, in words without names."""
    orgvue.amend(on="drafts", entry="Budget", remove=["datasetId"], times=None)
    report = check(with_drafts(orgvue))
    [told] = [each for each in report["assumptions"] if each["name"] == "draft-base"]
    assert (told["result"], told["note"]) == ("did_not_hold", "no `datasetId` in 1 of 3 entries")
    assert results(report)["draft-list"] == "held"


@pytest.mark.slow
@pytest.mark.parametrize("drafts", ["[]", '[{"draftId": "A", "datasetId": "B"}]'])
def test_a_list_within_an_object_is_reported(orgvue: Orgvue, drafts: str) -> None:
    """It can be read, and is not what was assumed, with and without drafts."""
    body = f'{{"drafts": {drafts}}}'.encode()
    orgvue.answer(on="drafts", body=body, headers={"Content-Type": "application/json"}, times=None)
    report = check(with_drafts(orgvue))
    [told] = [each for each in report["assumptions"] if each["name"] == "draft-list"]
    assert (told["result"], told["note"]) == ("did_not_hold", "it is an object")


@pytest.mark.slow
@pytest.mark.parametrize("reason,code", [("403602", 3), ("500601", 5)])
def test_a_list_that_is_refused_fails_as_in_a_run(orgvue: Orgvue, reason: Any, code: int) -> None:
    """Both streams fail in the check and in the run, with the same exit code."""
    orgvue.refuse(reason, on="drafts", times=None)
    config = with_drafts(orgvue, max_retries=0)
    report = check(config)
    assert [planned(report, name)["fails"] for name in (DRAFTS, ACTIONS)] == [True, True]
    assert report["exit_code"] == command(config).code == code
    assert results(report)["draft-list"] in {"did_not_hold", "not_checked"}
    assert report["drafts"] is None


@pytest.mark.slow
def test_a_list_with_a_fault_fails_as_in_a_run(orgvue: Orgvue) -> None:
    """An entry without an id may be a draft that should be sent."""
    orgvue.amend(on="drafts", entry="Budget", to={"name": "lost"}, times=None)
    report = check(with_drafts(orgvue))
    assert report["exit_code"] == command(with_drafts(orgvue)).code == 5
    assert [each["draft_id"] for each in report["drafts"]["matched"]] == [
        orgvue.draft(name).draft_id for name in ("Hiring plan", "Reorganisation")
    ]


@pytest.mark.slow
def test_deselected_streams_request_no_draft(orgvue: Orgvue) -> None:
    """The plan does not list them for streams that a run leaves out; the probe alone does."""
    config = with_drafts(orgvue)
    catalog = discover(config)
    for name in (DRAFTS, ACTIONS):
        catalog = select(catalog, name, selected=False)
    report = check(config, catalog)
    assert report["drafts"] is None
    assert [each.route for each in orgvue.requests if "draft" in each.route] == ["drafts"]


@pytest.mark.slow
def test_the_list_of_drafts_counts_as_a_request(orgvue: Orgvue) -> None:
    """A limit that leaves none for the list is told, with how many the run takes."""
    without = check({**orgvue.config, "max_requests_per_run": 5})
    assert without["exit_code"] == 0
    report = check(with_drafts(orgvue, max_requests_per_run=5))
    told = "The run takes 6 requests at least, and `max_requests_per_run` is 5."
    assert any(told in error for error in report["errors"])
