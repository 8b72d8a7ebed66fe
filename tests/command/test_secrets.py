"""Tokens, presigned URLs and query strings are in no log, whichever library writes it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import string
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.logging import ConsoleFormatter, StructuredFormatter
from typing_extensions import override

from tap_orgvue.scrubbing import SCRUBBER, Scrubber
from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.support.datasets import people
from tests.support.runs import Run, command, discover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Way = Callable[[logging.Logger, str, str], object]

# --- every way to log


class Holder:
    """Something that tells what it holds."""

    def __init__(self, secret: str) -> None:
        """Hold a secret."""
        self.secret = secret

    @override
    def __repr__(self) -> str:
        """Tell it."""
        return f"Holder({self.secret!r})"


class Failing:
    """Something that fails where nobody can catch it."""

    def __init__(self, secret: str) -> None:
        """Hold a secret."""
        self.secret = secret

    def __del__(self) -> None:
        """Fail, with the secret in the exception."""
        raise ValueError(self.secret)


def broken_off(url: str) -> None:
    """Fail as `requests` does, with a URL in its exception."""
    pool = urllib3.HTTPSConnectionPool("files.example.com")
    raise requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, url, ValueError(url)))


def failing(secret: str, url: str, how: str) -> None:
    """Fail with a secret in an exception, or in one before it."""
    try:
        broken_off(url)
    except requests.ConnectionError as error:
        if how == "from":
            raise ValueError("harmless") from error
        if how == "from None":
            raise ValueError("harmless") from None
        if how == "after":
            raise ValueError("harmless")  # noqa: B904 - that is the way that is looked at
        raise KeyError({secret: [url]}) from error


def excepted(logger: logging.Logger, secret: str, url: str, how: str) -> None:
    """Log an exception in the usual way."""
    try:
        failing(secret, url, how)
    except (KeyError, ValueError) as error:
        logger.exception("It failed: %s", error)  # noqa: TRY401 - as some do
        logger.error(error, exc_info=error)  # noqa: TRY400 - as others do


def uncaught(secret: str, url: str) -> None:
    """Let an exception out, in this thread and in another."""
    try:
        failing(secret, url, "itself")
    except KeyError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=failing, args=(secret, url, "itself"))
    thread.start()
    thread.join()


def dropped(secret: str) -> None:
    """Let an exception happen where Python can only write of it."""
    Failing(secret)


WAYS: dict[str, Way] = {
    "in the message": lambda logger, s, u: logger.info(f"{s} {u}"),  # noqa: G004
    "as arguments": lambda logger, s, u: logger.info("%s at %s", s, u),
    "as a mapping": lambda logger, s, u: logger.info("%(a)s %(b)s", {"a": s, "b": u}),
    "as bytes": lambda logger, s, u: logger.info("%s %s", s.encode(), u.encode()),
    "as a repr": lambda logger, s, u: logger.info("%r %r", s, [(u, s)]),
    "as a repr of a repr": lambda logger, s, _: logger.info("%r", repr([s])),
    "as JSON": lambda logger, s, u: logger.info(json.dumps({"a": s, "b": u})),
    "as an object": lambda logger, s, _: logger.info(Holder(s)),
    "as headers": lambda logger, s, _: logger.info("%s", {"Authorization": f"Bearer {s}"}),
    "as wrong arguments": lambda logger, s, u: logger.info("%d %d", s, u),
    "as too many arguments": lambda logger, s, u: logger.info("one", s, u),  # noqa: PLE1205
    "as extras": lambda logger, s, u: logger.info("x", extra={"url": u, "all": {s: [(s, u)]}}),
    "as an object in extras": lambda logger, s, _: logger.info("x", extra={"it": Holder(s)}),
    "by an adapter": lambda logger, s, u: logging.LoggerAdapter(
        logger, {"token": s, "request": {"url": u}}
    ).info("x"),
    "as a stack": lambda logger, s, u: logger.handle(
        logger.makeRecord("x", 20, "p", 1, "m", (), None, sinfo=f"Stack\n  {s} {u}")
    ),
    "as an exception": lambda logger, s, u: excepted(logger, s, u, "itself"),
    "as a cause": lambda logger, s, u: excepted(logger, s, u, "from"),
    "as a hidden cause": lambda logger, s, u: excepted(logger, s, u, "from None"),
    "as what was before": lambda logger, s, u: excepted(logger, s, u, "after"),
    "as a warning": lambda _, s, u: warnings.warn(f"{s} {u}", stacklevel=1),
    "by urllib3": lambda _, s, u: logging.getLogger("urllib3.connectionpool").debug(
        '%s://%s:%s "%s %s %s" %s %s', "https", s, 443, "GET", u.partition("//")[2], "HTTP", 200, 1
    ),
    "by nobody": lambda _, s, u: uncaught(s, u),
    "by the collector": lambda _, s, __: dropped(s),
}

tokens = st.text([chr(code) for code in range(0x21, 0x7F)], min_size=20, max_size=60)
words = st.text(string.ascii_letters + string.digits + "%+/=_-", min_size=20, max_size=60)
hosts = st.sampled_from(["files.example.com", "[::1]:8", "bücket.s3.eu-west-1.amazonaws.com"])
paths = st.sampled_from(["", "/", "/a/b.json", "/a b/ü", "/exports/1?not=yet&", "/#", "/(x)'"])


@contextlib.contextmanager
def listening(secret: str) -> Iterator[io.StringIO]:
    """All that is logged, in each form that the SDK has, and what is written to stderr."""
    out, known = io.StringIO(), set(SCRUBBER.secrets)
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    handlers = [logging.StreamHandler(out) for _ in range(3)]
    formatters = (logging.Formatter(), ConsoleFormatter(), StructuredFormatter())
    root = logging.getLogger()
    level = root.level
    for handler, formatter in zip(handlers, formatters, strict=True):
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    SCRUBBER.keep(secret)
    SCRUBBER.install()
    try:
        with contextlib.redirect_stderr(out), warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(capture=True)
            yield out
    finally:
        logging.captureWarnings(capture=False)
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        SCRUBBER.secrets = known
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_log_is_cleaned(way: str) -> None:
    """Whatever is logged, however: a token and a signature are in none of the forms it takes."""

    @given(tokens, words, words, hosts, paths)
    @settings(max_examples=40, deadline=None, database=None)
    def examples(secret: str, signature: str, credential: str, host: str, path: str) -> None:
        url = f"https://{host}{path}?X-Amz-Signature={signature}&X-Amz-Credential={credential}"
        with listening(secret) as out:
            WAYS[way](logging.getLogger("x.y"), secret, url)
        told = out.getvalue()
        assert told
        for hidden in (secret, json.dumps(secret)[1:-1], signature, credential):
            assert hidden not in told

    examples()


def test_logging_goes_on_whatever_is_logged() -> None:
    """What cannot be told, or holds itself, is logged without ending the run."""

    class Mute:
        @override
        def __str__(self) -> str:
            raise ValueError("no")

        __repr__ = __str__

    circle: dict[str, Any] = {"a": 1}
    circle["circle"] = [circle]
    with listening("a-secret-of-some-length") as out:
        logging.getLogger("x").info("first", extra={"it": Mute(), "circle": circle})
        logging.getLogger("x").info("%(a)s", 5)
        logging.getLogger("x").info(Mute(), 5)
    assert "first" in out.getvalue()
    assert "<Mute>" in out.getvalue()


def test_a_structured_log_keeps_its_exceptions() -> None:
    """An exception without a secret is left to formatters that take it apart."""
    with listening("a-secret-of-some-length") as out:
        try:
            raise ValueError("harmless")  # noqa: TRY301 - it is what is logged
        except ValueError:
            logging.getLogger("x").exception("It failed.")
    structured = json.loads(next(line for line in out.getvalue().splitlines() if line[0] == "{"))
    assert structured["exception"]["message"] == "harmless"


@pytest.mark.parametrize(
    "text",
    [
        "Orgvue refused GET /api/v1/ACME/datasets with HTTP 403 (40302 ApiTokenExpired).",
        "Is this right? Yes.",
        "Stream 'people': 3 values of 'salary' did not fit.",
        "api_token: is required.",
        "hash_key: must have at least 16 characters: a shorter one can be guessed.",
        "Make a new one at https://orgvue.eu-west-1.concentra.io/tokens and set `api_token`.",
        "`meltano run --refresh-catalog …`, or `tap-orgvue --discover` for a catalog of your own.",
        "Patterns know * and ?, in any case",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Ordinary messages are as they were."""
    assert Scrubber().clean(text) == text


@pytest.mark.parametrize(
    "text",
    ["/", "eyJ-", "eyJaaaaa.", "authorization:", "a://", "bearer ", "x-amz-", "/?", "a?b=", "\\"],
)
def test_hostile_text_is_cleaned_in_one_go(text: str) -> None:
    """Text made to keep patterns busy does not: this ends, where it would take hours."""
    assert Scrubber().clean(text * 20_000)


# --- the command, with everything logged


STRUCTURED = """
version: 1
disable_existing_loggers: false
formatters: {structured: {(): singer_sdk.logging.StructuredFormatter}}
handlers: {out: {class: logging.StreamHandler, formatter: structured, stream: ext://sys.stderr}}
root: {level: DEBUG, handlers: [out]}
"""


def everything_logged(folder: Path, form: str) -> dict[str, str]:
    """The environment that has the command log at DEBUG, as text or as JSON."""
    config = folder / "logging.yaml"
    config.write_text(STRUCTURED)
    structured = {"SINGER_SDK_LOG_CONFIG": str(config)} if form == "structured" else {}
    return {"LOGLEVEL": "DEBUG", **structured}


def presigned(orgvue: Orgvue) -> set[str]:
    """The secret parts of all presigned URLs that were told."""
    return {
        value
        for request in orgvue.requests
        if request.origin == "files"
        for name, values in request.query.items()
        if name in {"X-Amz-Signature", "X-Amz-Credential"}
        for value in values
    }


def assert_discreet(run: Run, orgvue: Orgvue) -> None:
    """Nothing secret is in what a run wrote, to either side."""
    for secret in {orgvue.token, orgvue.token.split(".")[2], *presigned(orgvue)}:
        assert secret not in run.stderr
        assert secret not in run.stdout
    assert "X-Amz-Signature=" not in run.stderr


@pytest.fixture
def troubled(serve: Callable[..., Orgvue]) -> Orgvue:
    """Datasets whose exports go wrong, each in its own way, with secrets in what is answered."""
    orgvue = serve(
        *(people(3, name) for name in ("Well", "Expired", "Cut", "Refused", "Sent On", "Echo")),
        Dataset("Leads On", properties=[Property("x")], rows=[{"x": "1"}]),
    )
    orgvue.job_polls = ("completed",)
    secret = f"{orgvue.files_url}/x?X-Amz-Signature={'5' * 64}&X-Amz-Credential=SIMULATOR"
    echo = (400, "400999", "Echo", f"{orgvue.token} at {secret}")
    orgvue.refuse(403, on="result", dataset="Expired", times=None)
    orgvue.hang_up(on="result", dataset="Cut", after=40, times=None)
    orgvue.refuse(echo, on="job", dataset="Echo", times=None)
    orgvue.refuse(503, on="result", dataset="Refused", times=None)
    headers = {"Location": secret, "X-Amzn-Trace-Id": secret}
    orgvue.answer(on="ticket", dataset="Sent On", status=302, headers=headers, times=None)
    ticket = {"jobStatus": "failed", "errors": [secret, {"message": orgvue.token}]}
    orgvue.answer(on="job", dataset="Leads On", body=json.dumps(ticket).encode(), times=None)
    return orgvue


@pytest.mark.slow
@pytest.mark.parametrize("form", ["plain", "structured"])
def test_a_run_in_trouble_tells_no_secret(troubled: Orgvue, tmp_path: Path, form: str) -> None:
    """With everything logged, as text or as JSON, no token and no presigned URL is told."""
    config = {**troubled.config, "export_mode": "async", "max_retries": 1}
    catalog = discover(config)
    run = command(config, catalog=catalog, env=everything_logged(tmp_path, form))
    assert run.code == 5
    assert list(run.records) == ["well"]
    assert "6 of 7 streams failed" in run.stderr
    assert "urllib3" in run.stderr
    assert_discreet(run, troubled)
    assert "5" * 64 not in run.stderr
    if form == "structured":
        lines = [json.loads(line) for line in run.stderr.splitlines()]
        assert any("Traceback" in line["extra"].get("exception_text", "") for line in lines)
    else:
        assert "Traceback" in run.stderr


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_run_at_debug_level_tells_no_secret(orgvue: Orgvue, tmp_path: Path, mode: str) -> None:
    """Nor does a run where all goes well."""
    run = command({**orgvue.config, "export_mode": mode}, env=everything_logged(tmp_path, "plain"))
    assert run.code == 0
    assert "urllib3" in run.stderr
    assert_discreet(run, orgvue)


@pytest.mark.parametrize("words", [(), ("--test",)])
def test_orgvues_own_words_may_hold_the_token(
    orgvue: Orgvue, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Where Orgvue's message repeats the token, it is told without it."""
    orgvue.refuse((403, "40302", "Expired", f"Bearer {orgvue.token} has expired"), times=None)
    run = command(orgvue.config, *words, env=everything_logged(tmp_path, "plain"))
    assert run.code == 3
    assert "40302 Expired" in run.stderr + run.stdout
    assert_discreet(run, orgvue)


def from_environment(orgvue: Orgvue, tmp_path: Path) -> dict[str, str]:
    """All settings as variables, with everything logged."""
    given = {f"TAP_ORGVUE_{name.upper()}": str(value) for name, value in orgvue.config.items()}
    return {
        **given,
        "TAP_ORGVUE_HASH_KEY": "a-key-that-is-secret",
        **everything_logged(tmp_path, ""),
    }


@pytest.mark.parametrize(
    "words",
    [
        *(("--about", "--format", "json"), ("--discover",), ("--test",), ("--test=schema",), ()),
    ],
)
def test_settings_of_the_environment_are_not_reported(
    orgvue: Orgvue, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Whatever the command is asked for, the secrets among its settings are not in the answer."""
    orgvue.job_polls = ("completed",)
    env = from_environment(orgvue, tmp_path)
    run = command({}, "--config", "ENV", *words, env=env)
    assert run.code == 0
    assert_discreet(run, orgvue)
    assert "a-key-that-is-secret" not in run.stdout + run.stderr


MISTAKES: dict[str, Callable[[str], dict[str, Any]]] = {
    "a list": lambda token: {"api_token": [token]},
    "an object": lambda token: {"api_token": {"token": token}},
    "with a space": lambda token: {"api_token": f"{token} x"},
    "as a tenant": lambda token: {"tenant_id": token},
    "as a region": lambda token: {"region": token, "api_url": None},
    "in the address": lambda token: {"api_url": f"https://{token}@h.test/?token={token}"},
    "as a number": lambda token: {"max_retries": token},
    "as a mode": lambda token: {"export_mode": token},
    "as a key that is short": lambda token: {"hash_properties": ["x"], "hash_key": token[:15]},
    "as a date": lambda token: {"start_date": token},
    "as a folder": lambda token: {"temp_dir": token},
    "as a name": lambda token: {"user_agent": f"{token}\n"},
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_settings_that_are_wrong_are_reported_without_their_values(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """A token in the wrong place or form is in no message that says so."""
    config = {**orgvue.config, **MISTAKES[kind](orgvue.token)}
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SettingsError) as caught:
        discover(config)
    assert orgvue.token[:15] not in f"{caught.value} {caught.value!r} {caplog.text}"
    assert orgvue.requests == []


@pytest.mark.parametrize("form", ["inline", "broken", "missing"])
def test_a_config_that_cannot_be_read(orgvue: Orgvue, tmp_path: Path, form: str) -> None:
    """A config on the command line, broken or not there at all is told without what it holds."""
    text = json.dumps({**orgvue.config, "api_token": "a-token-of-another-kind"})
    path = tmp_path / "config.json"
    if form == "broken":
        path.write_text(text.replace("}", ",,}"))
    given = text if form == "inline" else str(path)
    run = command({}, "--config", given, env=everything_logged(tmp_path, "plain"))
    assert run.code == 3
    assert "a-token-of-another-kind" not in run.stderr + run.stdout
    # It says what is wrong.
    assert len(run.stderr.strip().splitlines()[-1]) > 40
