"""Exit codes that a scheduler can act on: each by a run of the real command, and by its error."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.exit_codes import (
    EXPLAINED,
    ExitCode,
    exit_code_of,
    exit_code_of_streams,
    may_pass,
    reason_of,
    stream_may_pass,
)
from tap_orgvue.orgvue.error_responses import refusal_of
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    DeadlineExceeded,
    FileHostUnreachable,
    JobFailed,
    MalformedResponse,
    Misconfigured,
    OrgvueError,
    RequestInfo,
    RequestLimitReached,
    RetryAfterTooLong,
    Stopped,
    TruncatedResponse,
)
from tap_orgvue.settings import SettingsError
from tap_orgvue.singer.errors import (
    BatchFileVanished,
    LoaderGone,
    OutputFailed,
    StreamMapFailed,
    StreamMapsInvalid,
)
from tap_orgvue.singer.isolating_tap import Terminated
from tap_orgvue.tap_command import StreamsFailed
from tests.support.datasets import people
from tests.support.runs import command, discover, into_closed_pipe, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

    Trouble = Callable[[Orgvue, dict[str, Any]], None]

GET = RequestInfo("GET", "https://orgvue.test/api/v1/ACME/datasets")


def refused(status: int, code: str = "") -> OrgvueError:
    """A refusal with a code of Orgvue."""
    return refusal_of(GET, status, {}, b'{"errors": [{"code": "%s"}]}' % code.encode())


# --- what an error leads to

ENDS: dict[str, tuple[BaseException, int]] = {
    "wrong settings": (SettingsError(["tenant_id: is required."]), 3),
    "wrong stream maps": (StreamMapsInvalid("x"), 3),
    "nothing selected": (Misconfigured("x"), 3),
    "an expired token": (refused(403, "40302"), 3),
    "a subnet that is not the token's": (refused(403, "40303"), 3),
    "a code of the gateway that is unknown": (refused(403, "40399"), 3),
    "401 alone": (refused(401), 3),
    "a redirect": (refused(302), 3),
    "a method that is not there": (refused(405), 3),
    "a certificate that is not accepted": (ConnectionFailed("x", retryable=False), 3),
    "the day's quota": (refused(429, "42902"), 4),
    "a throttle that did not end": (refused(429, "42901"), 4),
    "a server error": (refused(503), 4),
    "no connection": (ConnectionFailed("x"), 4),
    "a truncated response": (TruncatedResponse("x"), 4),
    "the limit of requests": (RequestLimitReached("x"), 4),
    "a wait too long": (RetryAfterTooLong("x"), 4),
    "no time left": (DeadlineExceeded("x"), 4),
    "the end of the run": (Stopped("x"), 4),
    "a lost job": (JobFailed("x"), 4),
    "no file host": (FileHostUnreachable("x"), 4),
    "another response": (MalformedResponse("x"), 1),
    "a refusal that nothing is known of": (refused(400, "400606"), 1),
    "a mistake of the tap": (KeyError("x"), 1),
    "a loader that is gone": (LoaderGone("x"), 6),
    "a full disk": (OutputFailed("x"), 6),
    "SIGTERM": (Terminated(15), 143),
    "SIGINT": (Terminated(2), 130),
}


@pytest.mark.parametrize("error,code", ENDS.values(), ids=ENDS.keys())
def test_what_ends_a_run_says_its_code(error: BaseException, code: int) -> None:
    """A person, later, or nobody knows: by the kind of error, and Orgvue's codes."""
    assert exit_code_of(error) == code


LATER, PERSON, UNKNOWN = refused(503), refused(403, "403601"), KeyError("x")
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "errors,code",
    [
        ([LATER], 5),
        ([UNKNOWN], 5),
        ([MalformedResponse("x")], 5),
        ([JobFailed("x")], 5),
        ([PERSON], 3),
        ([refused(404)], 3),
        ([Misconfigured("x"), PERSON], 3),
        ([StreamMapFailed("x")], 3),
        ([PERSON, LATER], 5),
        ([FULL], 6),
        ([BatchFileVanished("x")], 6),
        ([FULL, PERSON], 6),
        ([FULL, LATER], 5),
    ],
)
def test_streams_that_failed_say_the_code_of_the_run(errors: list[Exception], code: int) -> None:
    """A stream that may succeed next time counts more than one that needs a person."""
    assert exit_code_of_streams(errors) == code
    failed = StreamsFailed({str(i): error for i, error in enumerate(errors)}, 9)
    assert exit_code_of(failed) == code


@pytest.mark.parametrize(
    "error,passes",
    [
        *((LATER, True), (UNKNOWN, True), (refused(400, "400606"), True), (JobFailed("x"), True)),
        *((refused(429, "42902"), True), (RequestLimitReached("x"), True), (Terminated(15), True)),
        *((PERSON, False), (refused(403, "40302"), False), (Misconfigured("x"), False)),
        *((FULL, False), (LoaderGone("x"), False)),
    ],
)
def test_a_stream_is_worth_a_retry_if_its_exit_code_says_so(
    error: BaseException,
    passes: bool,  # noqa: FBT001
) -> None:
    """The run report's `retryable` and the exit code never contradict each other."""
    assert stream_may_pass(error) is passes


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 130, 143])
def test_a_run_is_worth_a_retry_if_its_exit_code_says_so(code: int) -> None:
    """Later, after failed streams, and after a signal."""
    assert may_pass(code) is (code in {4, 5, 130, 143})


def test_an_error_about_a_stream_needs_what_its_cause_needs() -> None:
    """Another message leaves type, codes and remedy of an error as they are."""
    error = refused(403, "403601")
    told = error.with_message(f"Stream 'people': {error}")
    assert type(told) is type(error)
    assert str(told) == f"Stream 'people': {error}"
    assert told.codes == {"403601"}
    assert (told.remedy, told.retryable) == (error.remedy, error.retryable)


@pytest.mark.parametrize(
    "code,reason",
    [
        *((0, "done"), (1, "unexpected"), (2, "usage"), (3, "person_needed"), (4, "later")),
        *((5, "streams_failed"), (6, "output_failed"), (130, "terminated"), (143, "terminated")),
    ],
)
def test_reasons(code: int, reason: str) -> None:
    """Each code has a word for programs."""
    assert reason_of(code) == reason


def test_every_code_is_explained() -> None:
    """With what happened and what to do, each as sentences."""
    assert set(EXPLAINED) == set(ExitCode)
    for meaning, advice in EXPLAINED.values():
        assert meaning.endswith(".")
        assert advice.endswith(".")


# --- the real command


def _unreachable(_: Orgvue, config: dict[str, Any]) -> None:
    config["api_url"] = "http://127.0.0.1:9"


RUNS: dict[str, tuple[Trouble, int]] = {
    "nothing": (lambda *_: None, 0),
    "a list that is none": (lambda o, _: o.answer(on="list", body=b'"x"', times=None), 1),
    "a wrong setting": (lambda _, config: config.update(tenant_id="acme"), 3),
    "an expired token": (lambda o, _: o.refuse("40302", times=None), 3),
    "another tenant": (lambda _, config: config.update(tenant_id="OTHER"), 3),
    "the quota": (lambda o, _: o.refuse("42902", times=None), 4),
    "the run's limit": (lambda _, config: config.update(max_requests_per_run=1), 4),
    "an hour's wait": (lambda o, _: o.refuse(503, on="list", retry_after=3600, times=None), 4),
    "a server that fails": (lambda o, _: o.refuse(503, on="list", times=None), 4),
    "no server": (_unreachable, 4),
}


@pytest.mark.parametrize(
    "words", [(), ("--discover",), ("--test",)], ids=["run", "discover", "test"]
)
@pytest.mark.parametrize("trouble,code", RUNS.values(), ids=RUNS.keys())
def test_a_command_ends_with_its_code(
    orgvue: Orgvue, trouble: Trouble, code: int, words: tuple[str, ...]
) -> None:
    """A run, a discovery and a check end alike, whatever is the matter."""
    orgvue.job_polls = ("completed",)
    config = {**orgvue.config, "max_retries": 1}
    trouble(orgvue, config)
    assert command(config, *words).code == code


@pytest.mark.parametrize(
    "words",
    [("--no-such-option",), ("--catalog", "nowhere.json")],
    ids=lambda words: words[0],
)
def test_a_wrong_command_line(orgvue: Orgvue, words: tuple[str, ...]) -> None:
    """It is told by the command line's own reader, before any request."""
    assert command(orgvue.config, *words).code == 2
    assert orgvue.requests == []


@pytest.fixture
def two(serve: Callable[..., Orgvue]) -> Orgvue:
    """A tenant with two datasets."""
    return serve(people(3, "Alpha"), people(3, "Beta"))


def test_streams_that_are_forbidden(two: Orgvue) -> None:
    """A stream that may no longer be read needs a person, beside one that is complete."""
    catalog = discover(two.config)
    two.dataset("Alpha").hidden_because = "403601"
    run = command(two.config, catalog=catalog)
    assert run.code == 3
    assert set(run.records) == {"beta"}


def test_streams_that_are_missing(two: Orgvue) -> None:
    """So does one of earlier runs whose dataset is gone."""
    state = sync(two.config).state
    two.tenant.remove("Alpha")
    run = command(two.config, state=state)
    assert run.code == 3
    assert set(run.records) == {"beta"}


@pytest.mark.parametrize("refusal", [500, 400], ids=str)
def test_streams_that_may_be_retried(two: Orgvue, refusal: int) -> None:
    """A failed stream is worth a retry, also beside one that needs a person."""
    catalog = discover(two.config)
    two.dataset("Alpha").hidden_because = "403601"
    two.refuse(refusal, on=["export", "job"], dataset="Beta", times=None)
    run = command({**two.config, "max_retries": 0}, catalog=catalog)
    assert run.code == 5
    assert run.records == {}


def test_what_ends_the_run_wins(two: Orgvue) -> None:
    """A quota that is used up after a stream failed ends the run as the quota says."""
    catalog = discover(two.config)
    two.refuse(400, on="export", dataset="Alpha", times=None)
    two.refuse("42902", on="export", dataset="Beta", times=None)
    run = command({**two.config, "max_parallel_requests": 1}, catalog=catalog)
    assert run.code == 4
    assert "42902" in run.stderr.splitlines()[-1]


def test_no_dataset_can_be_read(two: Orgvue) -> None:
    """Where each is forbidden a person is needed; where one fails for now, it may pass."""
    for name in ("Alpha", "Beta"):
        two.dataset(name).hidden_because = "403601"
    assert command(two.config, "--discover").code == 3
    two.dataset("Beta").hidden_because = None
    two.refuse(500, on=["export", "metadata"], dataset="Beta", times=None)
    assert command({**two.config, "max_retries": 0}, "--discover").code == 4


def test_a_loader_that_is_gone(two: Orgvue, tmp_path: Path) -> None:
    """Nothing can be delivered."""
    assert into_closed_pipe(two.config, tmp_path).returncode == 6


@pytest.mark.parametrize("option", ["--help", "--version", "--about", "--test", "--discover"])
def test_a_reader_that_is_gone(orgvue: Orgvue, tmp_path: Path, option: str) -> None:
    """Whatever is written to standard output."""
    orgvue.job_polls = ("completed",)
    done = into_closed_pipe(orgvue.config, tmp_path, words=(option,))
    assert done.returncode == 6
    assert "closed the pipe" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("words", [(), ("--discover",)])
def test_the_environment_counts_where_it_is_named(orgvue: Orgvue, words: tuple[str, ...]) -> None:
    """A variable changes nothing beside a config file alone, and wins with `--config ENV`."""
    env = {"TAP_ORGVUE_TENANT_ID": "OTHER"}
    assert command(orgvue.config, *words, env=env).code == 0
    assert command(orgvue.config, "--config", "ENV", *words, env=env).code == 3
