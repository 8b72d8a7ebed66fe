"""Runs end in time, whatever a server does: small responses that drip, pauses without end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import OrgvueError
from tests.support.runs import command, discover, sync

if TYPE_CHECKING:
    from tap_orgvue.simulator import Orgvue

ROUTES: dict[str, dict[str, Any]] = {
    "list": {},
    "metadata": {"include_calculations": False},
    "job": {"export_mode": "async"},
    "ticket": {"export_mode": "async"},
}
"""Each kind of small response, and the settings of a run that needs it."""


@pytest.fixture(autouse=True)
def _one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost tickets are not requested again."""
    monkeypatch.setattr("tap_orgvue.exports.jobs.JOB_TRIES", 1)
    monkeypatch.setattr("tap_orgvue.exports.jobs.FILE_TRIES", 1)


@pytest.mark.slow
@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize("route", ROUTES)
def test_a_small_response_that_drips(orgvue: Orgvue, route: str, head: object) -> None:
    """A small response whose headers or body arrive byte by byte ends at `request_timeout`."""
    config = {**orgvue.config, **ROUTES[route], "request_timeout": 1, "max_retries": 0}
    catalog = None if route in {"list", "metadata"} else discover(config)
    orgvue.drip(on=route, head=bool(head), times=None)
    with pytest.raises(OrgvueError, match=r"`request_timeout` \(1 seconds\) is the limit"):
        sync(config, catalog)


@pytest.mark.slow
def test_the_body_of_a_refusal_that_drips(orgvue: Orgvue) -> None:
    """A refusal of an export whose body has no end is a failed request like any other."""
    config = {**orgvue.config, "export_mode": "sync", "request_timeout": 1, "max_retries": 0}
    catalog = discover(config)
    orgvue.refuse(500, on="export", times=None)
    orgvue.drip(on="export", times=None)
    with pytest.raises(OrgvueError, match=r"`request_timeout` \(1 seconds\) is the limit"):
        sync(config, catalog)


@pytest.mark.slow
def test_the_check_of_a_server_that_drips(orgvue: Orgvue) -> None:
    """`--test` tells a list that drips by its stage."""
    orgvue.drip(on="list", times=None)
    run = command({**orgvue.config, "request_timeout": 1, "max_retries": 0}, "--test")
    assert run.code == 4
    assert "✗ datasets: GET /api/v1/" in run.stdout
    assert "- finished exports: not checked" in run.stdout


def test_a_pause_of_hours(orgvue: Orgvue) -> None:
    """A throttle with a `Retry-After` of two hours ends discovery at once."""
    orgvue.refuse("42901", on="list", retry_after=7200, times=None)
    with pytest.raises(OrgvueError, match=r"`max_retry_wait` \(900 seconds\): run again after 20"):
        discover(orgvue.config)
    assert len(orgvue.requests) == 1
