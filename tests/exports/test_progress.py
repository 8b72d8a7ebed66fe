"""The progress of an export: its stages in their order, and every byte that arrives."""

from __future__ import annotations

import io
from typing import Any

import pytest
from typing_extensions import override

from tap_orgvue.exports.action_jobs import ActionJobs, actions_request
from tap_orgvue.exports.progress import ExportProgress
from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tests.support.mocked_exports import (
    DATASET_ID,
    EXPORT,
    JOB,
    RESULT,
    TICKET,
    MockedExports,
    document,
    refusal,
    ticket,
)
from tests.support.mocked_orgvue import TENANT

WHOLE = document()
BYTES = len(WHOLE["content"])
CUT = {"content": WHOLE["content"][:-1]}
ACTIONS = f"{TENANT}/drafts/actions"
ARRAY = {"content": b'[{"_action":"delete","_id":"x"}]'}


class Noted(ExportProgress):
    """Notes what is reported.

    Attributes:
        stages: The stages, each once until another one.
        count: The bytes that arrived.
    """

    def __init__(self) -> None:
        """Start before the first stage."""
        self.stages: list[str] = []
        self.count = 0

    def _note(self, stage: str) -> None:
        if self.stages[-1:] != [stage]:
            self.stages.append(stage)

    @override
    def waiting(self) -> None:
        self._note("waiting")

    @override
    def job_started(self) -> None:
        self._note("job started")

    @override
    def downloading(self) -> None:
        self._note("downloading")

    @override
    def received(self, count: int) -> None:
        self._note("received")
        self.count += count


AT_ONCE = ["waiting", "downloading", "received"]
BY_JOB = ["waiting", "job started", "downloading", "received"]


@pytest.mark.parametrize(
    "mode,responses,stages,count",
    [
        (ExportMode.SYNC, [WHOLE], AT_ONCE, BYTES),
        (ExportMode.SYNC, [CUT, WHOLE], AT_ONCE * 2, 2 * BYTES - 1),
        (ExportMode.SYNC, [refusal(503), WHOLE], AT_ONCE, BYTES),
        (ExportMode.SYNC, [{"content": b""}, WHOLE], ["waiting", "downloading", *AT_ONCE], BYTES),
        (ExportMode.PAGED, [WHOLE], AT_ONCE, BYTES),
        (ExportMode.AUTO, [refusal(413)], BY_JOB, BYTES),
        (ExportMode.ASYNC, [], BY_JOB, BYTES),
    ],
)
def test_stages_and_bytes_of_an_export(
    mode: ExportMode, responses: list[dict[str, Any]], stages: list[str], count: int
) -> None:
    """A wait, perhaps a job, the download with all its bytes; after a break, a wait again."""
    orgvue = MockedExports(mode, max_retries=1)
    orgvue.serve("GET", EXPORT, *responses, refusal(404))
    orgvue.serve("POST", JOB, ticket("created"))
    orgvue.serve("GET", TICKET, ticket("completed"))
    orgvue.serve("GET", RESULT, WHOLE)
    progress = Noted()
    purpose = Purpose(RequestKind.EXPORT, DATASET_ID)
    orgvue.fetcher.fetch(orgvue.request(), "people", purpose, progress).close()
    assert (progress.stages, progress.count) == (stages, count)


def test_a_job_that_is_lost_waits_for_the_next() -> None:
    """A new job is a new wait."""
    orgvue = MockedExports(ExportMode.ASYNC)
    orgvue.serve("POST", JOB, ticket("failed"), ticket("completed"))
    orgvue.serve("GET", RESULT, WHOLE)
    progress = Noted()
    purpose = Purpose(RequestKind.EXPORT, DATASET_ID)
    orgvue.fetcher.fetch(orgvue.request(), "people", purpose, progress).close()
    assert progress.stages == ["waiting", "job started", *BY_JOB]


class Breaking(io.BytesIO):
    """A body whose connection is lost before its first byte."""

    @override
    def read(self, size: int | None = -1) -> bytes:
        raise ConnectionResetError


@pytest.mark.parametrize(
    "failure", [{"content": b"<html>"}, CUT, {"content": b"\x1f\x8b\xff"}, {"body": Breaking()}]
)
def test_a_download_that_fails_is_none_any_more(failure: dict[str, Any]) -> None:
    """What comes next is a retry, or nothing: no download is shown until it arrives."""
    orgvue = MockedExports(ExportMode.SYNC)
    orgvue.serve("GET", EXPORT, failure)
    progress = Noted()
    purpose = Purpose(RequestKind.EXPORT, DATASET_ID)
    with pytest.raises(OrgvueError):
        orgvue.fetcher.fetch(orgvue.request(), "people", purpose, progress)
    received = ["received"] if progress.count else []
    assert progress.stages == ["waiting", "downloading", *received, "waiting"]


@pytest.mark.parametrize(
    "response,stages",
    [
        (ARRAY, AT_ONCE),
        (ticket("completed"), [*AT_ONCE, "job started", "downloading", "received"]),
        ({"status_code": 204}, ["waiting"]),
    ],
)
def test_stages_of_a_draft_s_actions(response: dict[str, Any], stages: list[str]) -> None:
    """The response is downloaded, as it may be the actions; a ticket leads to a job's result."""
    orgvue = MockedExports()
    orgvue.serve("POST", ACTIONS, response)
    orgvue.serve("GET", RESULT, ARRAY)
    progress = Noted()
    jobs = ActionJobs(orgvue.client, timeout=60, temp_dir=None)
    jobs.fetch(actions_request(orgvue.client, "D", "later"), progress=progress).file.close()
    assert progress.stages == stages
