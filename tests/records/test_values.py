"""One cell: numbers and dates keep their exact value, and nothing passes that no column holds."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_orgvue.records.values import (
    Counts,
    Fitter,
    Literal,
    Misfit,
    canonical_text,
    exact_number,
    fit_date,
    fit_date_time,
    json_text,
)
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.timestamps import all_plain, format_instant, is_plain_day, parse_instant

numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)


@given(numbers)
def test_numbers_are_exact(text: str) -> None:
    """A number has after reading the very value that was written."""
    number = exact_number(text)
    assert number is not None
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    assert exact == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\u0663",
        "1.\u0663",
        "1e\u0663",
        "+1",
        "01",
        ".5",
        "5.",
        "1e",
        "0x1",
        "1_000",
        "NaN",
        "1e400",
        "1,5",
        "\u0663",
    ],
)
def test_what_is_not_a_number(text: str) -> None:
    """Only what JSON calls a number, and databases hold, is one."""
    assert exact_number(text) is None


@pytest.mark.parametrize("exponent", ["20000", "999999999", "9" * 20])
def test_what_is_too_small_for_databases(exponent: str) -> None:
    """A number with more digits behind its point than databases hold is rescued as its text."""
    text = f"1.5e-{exponent}"
    assert Fitter(Counts()).fit(ColumnType.NUMBER, text.encode()) == Misfit(text)


@pytest.mark.parametrize(
    "fits,too_long",
    [
        ("0." + "1" * 3998, "0." + "1" * 3999),
        ("1.5e-4000", "1.5e-4001"),
        ("-1" + "0" * 308, "-1" + "0" * 309),
        ("1" + "0" * 308, "1e309"),
    ],
)
def test_the_longest_numbers(fits: str, too_long: str) -> None:
    """Up to 4000 characters and digits, and up to the largest float, a number is exact."""
    number = exact_number(fits)
    assert number is not None
    assert Decimal(number) == Decimal(fits)
    assert exact_number(too_long) is None


@pytest.mark.parametrize(
    "kind,texts",
    [
        (ColumnType.BOOLEAN, [b"5", b"5.0", b'"5"']),
        (ColumnType.DATE, [b"20220102", b"2.0220102e7"]),
        (ColumnType.NUMBER, [b'{"a":1,"b":2}', b'{ "b":2, "a":1 }']),
        (ColumnType.NUMBER, [b"1.50", b'" 1.5 "', b"15e-1"]),
        (ColumnType.DATE, [b'"2022-01-02"', b'"2022-01-02T00:00:00.000Z"']),
    ],
)
def test_equal_values_have_equal_hashes(kind: ColumnType, texts: list[bytes]) -> None:
    """However a value is written, and whether it fits its declared type or not."""
    assert len({Fitter(Counts()).hashed(kind, text, b"k") for text in texts}) == 1


@pytest.mark.parametrize(
    "texts,canonical",
    [
        (["5", "5.0", "5.00", "0.5e1"], "5"),
        (["0", "-0", "0.00", "-0.0", "0e7"], "0"),
        (["2.50", "2.5", "25E-1"], "2.5"),
        (["1" + "0" * 30, "1e30", "1.0e30"], "1" + "0" * 30),
        (["1234567890" * 4 + ".50", "1234567890" * 4 + ".5"], "1234567890" * 4 + ".5"),
    ],
)
def test_equal_numbers_have_one_text(texts: list[str], canonical: str) -> None:
    """However a number is written, of whatever size, what is hashed of it is the same."""
    assert {canonical_text(exact_number(text)) for text in texts} == {canonical}


@pytest.mark.parametrize(
    "value,canonical",
    [
        (5, "5"),
        (2.50, "2.5"),
        (-0.0, "0"),
        (1e30, "1" + "0" * 30),
        (True, "true"),
        (None, "null"),
        ({"b": [1, "x"], "a": None}, '{"a": null, "b": [1, "x"]}'),
        ({"a": Decimal("1.50")}, '{"a": "1.50"}'),
        (Literal("5.0"), "5"),
        (Literal("-0.0"), "0"),
        ([Literal("5.0"), Literal("7")], "[5.0, 7]"),
        ({"a": Literal("0.12345678901234567890")}, '{"a": "0.12345678901234567890"}'),
    ],
)
def test_what_is_hashed_of_other_values(value: object, canonical: str) -> None:
    """Nested values are JSON with sorted keys, and no boolean is a number."""
    assert canonical_text(value) == canonical


@given(st.integers())
def test_integers_stay_integers(number: int) -> None:
    """Integers of any size are read as integers."""
    assert exact_number(str(number)) == number


@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001 - the zone is given below
    st.integers(-14 * 60, 14 * 60),
)
def test_instants_keep_their_moment(moment: datetime, minutes: int) -> None:
    """An instant with any offset is the same moment, written in UTC."""
    given_one = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    text = fit_date_time(given_one.isoformat())
    assert isinstance(text, str)
    assert text.endswith("Z")
    assert datetime.fromisoformat(text.replace("Z", "+00:00")) == given_one
    assert parse_instant(text) == given_one
    assert format_instant(given_one) == text


@given(st.dates())
def test_dates_keep_their_day(date: object) -> None:
    """A date is its day in either documented form, and in the evening of the day as well."""
    assert fit_date(str(date)) == str(date)
    assert fit_date(f"{date}T00:00:00.000Z") == str(date)
    assert fit_date(f"{date}T23:59:59Z") == Misfit(f"{date}T23:59:59Z", str(date))


@pytest.mark.parametrize(
    "text",
    [
        "today",
        "\u0662022-01-02",
        "2022-01-02T00:0\u0660:00Z",
        "2022",
        "2022-1-2",
        "2022-13-01",
        "2022-02-29",
        "20220102",
        "2022-01-02T25:00:00Z",
        "2022-01-02T00:00:61Z",
        "2022-01-02T00:00:00+25:00",
        "12022-01-02",
        "-2022-01-02",
        "2022-01-02x",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_not_a_date(text: str) -> None:
    """What no calendar has, or no database holds, does not fit."""
    assert parse_instant(text) is None
    assert fit_date(text) == Misfit(text)
    assert fit_date_time(text) == Misfit(text)


def test_a_fraction_finer_than_databases_hold_is_rescued() -> None:
    """Nanoseconds are cut in the column and whole in the rescue; trailing zeros are nothing."""
    fine = "2022-01-02T00:00:00.123456789Z"
    assert fit_date_time(fine) == Misfit(fine, "2022-01-02T00:00:00.123456Z")
    assert fit_date_time("2022-01-02T00:00:00.123456000Z") == "2022-01-02T00:00:00.123456Z"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        st.lists,
        max_leaves=8,
    )
)
def test_text_of_nested_values_is_json(value: object) -> None:
    """A value that is no text becomes JSON text that says the same."""
    raw = json.dumps(value).encode()
    text = Fitter(Counts()).fit(ColumnType.TEXT, raw)
    if value is None:
        assert text is None
    elif isinstance(value, str):
        assert text == value.replace("\x00", "")
    elif "\\u0000" not in raw.decode():
        assert json.loads(text) == value


@pytest.mark.parametrize("kind", list(ColumnType))
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=6,
    )
)
def test_what_is_rescued_can_be_stored(kind: ColumnType, value: object) -> None:
    """Whatever a cell holds, its column's value and its rescue are strict JSON without NUL."""
    fitted = Fitter(Counts()).fit(kind, json.dumps(value).encode())
    kept = [fitted.whole, fitted.fitted] if isinstance(fitted, Misfit) else [fitted]
    text = json_text(kept)
    json.loads(text, parse_constant=pytest.fail)
    assert "\\u0000" not in text.replace("\\\\", "")
    text.encode()


@given(st.datetimes(), st.sampled_from(["", "T00:00:00.000Z", "T00:00:00.001Z", "T24:00:00.000Z"]))
def test_days_are_read_alike_with_and_without_a_calendar(moment: datetime, rest: str) -> None:
    """The short ways to see that a date or an instant is in order agree with the calendar's."""
    day = moment.date().isoformat()
    assert not is_plain_day(day + rest) or parse_instant(day + rest) == parse_instant(day)
    text = format_instant(moment.replace(tzinfo=timezone.utc))
    assert not all_plain([text, None]) or format_instant(_known(text)) == text
    assert not all_plain([day, text])


@pytest.mark.parametrize(
    "text",
    [
        *("", "2022-02-30", "2022-04-31", "0000-01-01", "2022-13-01", "2022-1-1", "2022-01-01T"),
        *("2022-01-01T00:00:00.000", "2022-01-01 ", "\uff12022-01-01", "2022-01-01T00:00:00.0000Z"),
    ],
)
def test_what_is_no_plain_day(text: str) -> None:
    """What is no day, or none in a documented form, is never taken for one without a look."""
    assert not is_plain_day(text)
    assert not all_plain([text])


def _known(text: str) -> datetime:
    instant = parse_instant(text)
    assert instant is not None
    return instant
