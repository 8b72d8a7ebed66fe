"""The scrubber: which texts lose a secret, and which keep every word."""

from __future__ import annotations

import base64
import json
import logging
import sys
from typing import Any
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


def _nested(value: object, levels: int, *, in_lists: bool) -> object:
    """A value within so many lists or dicts."""
    for _ in range(levels):
        value = [value] if in_lists else {"a": value}
    return value


@pytest.mark.parametrize("in_lists", [True, False])
def test_deep_values_are_cleaned_as_text(scrubber: Scrubber, *, in_lists: bool) -> None:
    """Five levels are cleaned member by member; what is in a deeper one is text without secrets."""
    record = record_of(
        "m",
        five=_nested(SECRET, 5, in_lists=in_lists),
        six=_nested(SECRET, 6, in_lists=in_lists),
        harmless=_nested("x", 9, in_lists=in_lists),
    )
    scrubber.clean_record(record)
    assert record.__dict__["five"] == _nested("***", 5, in_lists=in_lists)
    deepest: Any = record.__dict__["six"]
    for _ in range(5):
        [deepest] = deepest if in_lists else deepest.values()
    assert isinstance(deepest, str)
    assert "***" in deepest
    assert record.__dict__["harmless"] == _nested("x", 9, in_lists=in_lists)


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


@pytest.mark.parametrize(
    "character,written",
    [
        ("\n", "\\n"),
        ("\r", "\\r"),
        ("\x00", "\\x00"),
        ("\x1b", "\\x1b"),
        ("\x7f", "\\x7f"),
        ("\x85", "\\x85"),
        ("\x9b", "\\x9b"),
        ("\u2028", "\\u2028"),
        ("\u202e", "\\u202e"),
        ("\u2066", "\\u2066"),
        ("\u200f", "\\u200f"),
        ("\ud800", "\\ud800"),
    ],
)
def test_control_characters_are_escaped(scrubber: Scrubber, character: str, written: str) -> None:
    """A character that breaks a line or steers a terminal is written out, wherever it stands."""
    foreign = f"a{character}b"
    assert scrubber.line(foreign) == f"a{written}b"
    for record in (
        record_of("%s: %d", foreign, 3),
        record_of("%(name)s: %(count)d", {"name": foreign, "count": 3}),
        record_of(f"{foreign}: 3"),
        record_of(KeyError(f"{foreign}: 3").args[0]),
    ):
        scrubber.clean_record(record)
        assert record.getMessage() == f"a{written}b: 3"
    record = record_of("m", nested={"key": [foreign]}, name=foreign)
    scrubber.clean_record(record)
    assert record.name == f"a{written}b"
    assert record.__dict__["nested"] == {"key": [f"a{written}b"]}


@pytest.mark.parametrize("text", ["a\tb", "Größe, 部门 ✓", "🙂", "a\\nb"])
def test_other_characters_stay(scrubber: Scrubber, text: str) -> None:
    """Tabs, letters of any script and signs are what they are."""
    assert scrubber.line(text) == text


def test_the_format_of_a_message_may_break_lines(scrubber: Scrubber) -> None:
    """The tap's own line feeds stay; those of an argument do not."""
    record = record_of("%s failed:\n  %s", 1, "people\n2026-01-01 | INFO | all is well")
    scrubber.clean_record(record)
    assert record.getMessage() == "1 failed:\n  people\\n2026-01-01 | INFO | all is well"


def test_numbers_stay_numbers_beside_a_text_that_is_escaped(scrubber: Scrubber) -> None:
    """Their format still takes them, and the lines of the format stay."""
    record = record_of("%s\n%03d", "a\x1bb", 3)
    scrubber.clean_record(record)
    assert record.getMessage() == "a\\x1bb\n003"


def test_a_warning_is_one_line(scrubber: Scrubber) -> None:
    """What Python writes of a warning ends in a line feed, which is dropped."""
    record = record_of("%s", "x.py:1: UserWarning: odd\n  call()\n")
    scrubber.clean_record(record)
    assert record.getMessage() == "x.py:1: UserWarning: odd\\n  call()"


def test_a_format_for_one_character(scrubber: Scrubber) -> None:
    """`%c` with a line feed is escaped as well."""
    record = record_of("%c|", "\n")
    scrubber.clean_record(record)
    assert record.getMessage() == "\\n|"


def test_an_exception_breaks_no_line(scrubber: Scrubber) -> None:
    """In a traceback the exception's own text stays on its line, and so does its cause's."""
    try:
        try:
            raise KeyError("first\nforged")  # noqa: TRY301 - it is the cause that is looked at
        except KeyError as cause:
            raise ValueError("second\nforged\x1b") from cause
    except ValueError as error:
        record = record_of("m", exc_info=(ValueError, error, error.__traceback__))
    scrubber.clean_record(record)
    assert record.exc_info is None
    assert record.exc_text is not None
    lines = record.exc_text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: second\\nforged\\x1b"
    assert not [line for line in lines if line.startswith("forged")]


def test_uncaught_exceptions_are_reported_clean(
    scrubber: Scrubber, capsys: pytest.CaptureFixture[str]
) -> None:
    """The traceback of an uncaught exception goes to stderr without the secret."""
    scrubber.report(ValueError, ValueError(SECRET), None)
    assert capsys.readouterr().err == "ValueError: ***\n"


@pytest.fixture
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a scrubber replaces in Python is there again afterwards."""
    for name in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    monkeypatch.setattr(logging.Logger, "makeRecord", logging.Logger.makeRecord)


@pytest.mark.usefixtures("_as_before")
def test_installing_twice_cleans_once() -> None:
    """A scrubber wraps the making of records once, however often it is installed."""
    scrubber = Scrubber()
    scrubber.install()
    wrapped = logging.Logger.makeRecord
    scrubber.install()
    assert logging.Logger.makeRecord is wrapped


@pytest.mark.parametrize("proxy", ["http://proxy:2", "http://somebody@proxy:2", "proxy:8080"])
@pytest.mark.usefixtures("_as_before")
def test_a_proxy_without_a_password_has_no_secret(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Its name, and that of its user, stay legible in every form."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    scrubber = Scrubber()
    scrubber.install()
    assert scrubber.secrets == set()


@pytest.mark.usefixtures("_as_before")
def test_the_passwords_of_proxies_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's password is known plain, decoded, and in a `Proxy-Authorization` header."""
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
