"""The scrubber: which texts lose a secret, and which keep every word."""

from __future__ import annotations

import base64
import json
import logging
import sys
from urllib.parse import quote

import pytest

from tap_orgvue.scrubbing import Scrubber

SECRET = 'p"ä ss\\w/rd'


@pytest.fixture
def scrubber() -> Scrubber:
    """A scrubber that knows one secret."""
    scrubber = Scrubber()
    scrubber.keep(SECRET)
    return scrubber


def record_of(message: object, *args: object, **fields: object) -> logging.LogRecord:
    """A log record, not yet cleaned."""
    record = logging.LogRecord("x", logging.INFO, "p", 1, message, args, None)
    record.__dict__.update(fields)
    return record


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        repr(SECRET)[1:-1],
        repr(repr(SECRET)[1:-1])[1:-1],
        repr(SECRET.encode())[2:-1],
        json.dumps(SECRET)[1:-1],
        quote(SECRET),
        quote(SECRET, safe=""),
    ],
)
def test_a_secret_is_replaced_in_every_form(scrubber: Scrubber, form: str) -> None:
    """A secret is recognized as it is, in a repr, as bytes, in JSON and in a URL."""
    assert scrubber.clean(f"before {form} after") == "before *** after"


def test_the_longest_secret_goes_first() -> None:
    """Where one secret contains another, nothing of the longer one stays."""
    scrubber = Scrubber()
    scrubber.keep("abcd", "abcdefgh", "cdef")
    assert scrubber.clean("abcdefgh") == "***"


def test_short_secrets_are_words() -> None:
    """Three characters are too few to be replaced everywhere; four are not."""
    scrubber = Scrubber()
    scrubber.keep("abc", None, "", "wxyz")
    assert scrubber.clean("abc wxyz") == "abc ***"


@pytest.mark.parametrize(
    "text,clean",
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("{'Authorization': 'Basic dXNlcg=='}", "{'Authorization': 'Basic ***'}"),
        ("sent with bearer abcd", "sent with bearer ***"),
        ("X-Amz-Signature=00ff&x=1", "X-Amz-Signature=***&x=1"),
        ("api_token=abcdef", "api_token=***"),
        ("{'hash_key': 'abcdef'}", "{'hash_key': '***'}"),
        ("is eyJhbGciOiJ.eyJpc3Mi.c2ln here", "is *** here"),
        ("http://user:word@proxy:8080/", "http://***@proxy:8080/"),
        ("GET https://host/path?signature=1 now", "GET https://host/path?*** now"),
        ("GET /path?a=1", "GET /path?***"),
        ("a?b=1", "a?***"),
    ],
)
def test_credentials_are_recognized_by_their_form(text: str, clean: str) -> None:
    """Headers, parameters, tokens, query strings and passwords go, known or not."""
    assert " ".join(Scrubber().clean(text).split()) == clean


@pytest.mark.parametrize("text", ["Really?", "what? yes", "?", "a?b", "user@host", "x://"])
def test_questions_are_no_queries(text: str) -> None:
    """A question mark without a path before it or a parameter behind it is punctuation."""
    assert Scrubber().clean(text) == text


def test_a_clean_record_stays_as_it_is(scrubber: Scrubber) -> None:
    """A record without a secret keeps its arguments and its exception, for formatters."""
    error = ValueError("harmless")
    record = record_of("%s of %s", 1, 2, exc_info=(ValueError, error, None), count=5)
    scrubber.clean_record(record)
    assert (record.msg, record.args) == ("%s of %s", (1, 2))
    assert record.exc_info == (ValueError, error, None)
    assert record.exc_text is None
    assert record.__dict__["count"] == 5


def test_every_part_of_a_record_is_cleaned(scrubber: Scrubber) -> None:
    """Message, exception, stack and extras lose the secret."""
    error = ValueError(SECRET)
    record = record_of(
        "%s!",
        SECRET,
        exc_info=(ValueError, error, None),
        stack_info=f"Stack: {SECRET}",
        nested={SECRET: [{"deep": (SECRET,)}], "count": 3},
        plain=SECRET,
    )
    scrubber.clean_record(record)
    assert record.getMessage() == "***!"
    assert record.exc_info is None
    assert record.exc_text == record.__dict__["exception_text"] == "ValueError: ***"
    assert record.stack_info == "Stack: ***"
    assert record.__dict__["nested"] == {"***": [{"deep": ["***"]}], "count": 3}
    assert record.__dict__["plain"] == "***"


def test_a_cause_that_is_not_shown_counts(scrubber: Scrubber) -> None:
    """A formatter may show the cause that `from None` hides: the exception becomes text."""
    try:
        try:
            raise KeyError(SECRET)  # noqa: TRY301 - it is the cause that is looked at
        except KeyError:
            raise ValueError("harmless") from None
    except ValueError as error:
        record = record_of("m", exc_info=(ValueError, error, error.__traceback__))
    scrubber.clean_record(record)
    assert record.exc_info is None
    assert record.exc_text is not None
    assert record.exc_text.endswith("ValueError: harmless")


def test_arguments_that_do_not_fit_are_dropped(scrubber: Scrubber) -> None:
    """A message whose arguments do not fit is logged without them: a handler would print them."""
    record = record_of("%d", SECRET)
    scrubber.clean_record(record)
    assert record.getMessage() == "%d"


def test_uncaught_exceptions_are_reported_clean(
    scrubber: Scrubber, capsys: pytest.CaptureFixture[str]
) -> None:
    """The traceback of an uncaught exception goes to stderr without the secret."""
    scrubber.report(ValueError, ValueError(SECRET), None)
    assert capsys.readouterr().err == "ValueError: ***\n"


def test_installing_twice_cleans_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrubber wraps the making of records once, however often it is installed."""
    for name in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    monkeypatch.setattr(logging.Logger, "makeRecord", logging.Logger.makeRecord)
    scrubber = Scrubber()
    scrubber.install()
    wrapped = logging.Logger.makeRecord
    scrubber.install()
    assert logging.Logger.makeRecord is wrapped


def test_the_passwords_of_proxies_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's password is known plain, decoded, and in a `Proxy-Authorization` header."""
    for name in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    monkeypatch.setattr(logging.Logger, "makeRecord", logging.Logger.makeRecord)
    monkeypatch.setenv("HTTPS_PROXY", "http://me%40x:pa%3Ass@proxy:1")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:2")
    scrubber = Scrubber()
    scrubber.install()
    for secret in (
        "pa%3Ass",
        "pa:ss",
        base64.b64encode(b"me%40x:pa%3Ass").decode(),
        base64.b64encode(b"me@x:pa:ss").decode(),
    ):
        assert scrubber.clean(f"with {secret}.") == "with ***."
