"""Patterns: what is special in them, and what makes no difference."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_orgvue.schema.patterns import matches, same_forms


@pytest.mark.parametrize(
    "pattern,name",
    [
        ("salary", "salary"),
        ("sal*", "salary"),
        ("*", ""),
        ("*lar*", "salary"),
        ("salar?", "salary"),
        ("SALARY", "salary"),
        ("salary", "SALARY"),
        ("Bonus [GBP]", "Bonus [GBP]"),
        ("Bonus [GBP]*", "Bonus [GBP] 2024"),
        ("[Draft]*", "[Draft] People"),
        ("[!a]", "[!a]"),
        ("a]b[", "a]b["),
        ("a.b+(c)|d\\e^$", "A.B+(C)|D\\E^$"),
        ("two*", "two\nlines"),
        ("Gehaltsgrö?e", "Gehaltsgröße"),
        ("GEHALTSGRÖSSE", "Gehaltsgröße"),
        ("Gro\u0308\u00dfe", "gr\u00f6\u00dfe"),
        ("\uff53\uff41\uff4c\uff41\uff52\uff59", "salary"),
        ("½ day", "1\u20442 day"),
        ("Base Pay", "Base\u00a0Pay"),
        ("Base\u00a0Pay", "Base Pay"),
        ("Base Pay", " Base \t Pay\u2003"),
        (" Base Pay ", "Base Pay"),
        ("Base Pay*", "Base Pay "),
        ("salary", "sal\u200bary\ufeff"),
        ("İstanbul", "i̇stanbul"),
    ],
)
def test_a_pattern_matches(pattern: str, name: str) -> None:
    """`*` and `?` are wildcards; case, Unicode form and white space make no difference."""
    assert matches(pattern, [name])


@pytest.mark.parametrize(
    "pattern,name",
    [
        ("salary", "salaries"),
        ("salary", "my salary"),
        ("", "salary"),
        ("salary?", "salary"),
        ("Bonus [GBP]*", "Bonus G"),
        ("[Draft]*", "Drafts"),
        ("[a-z]", "b"),
        ("[!a]", "b"),
        ("a.c", "abc"),
        ("BasePay", "Base Pay"),
        ("?", ""),
        ("naive", "naïve"),
    ],
)
def test_a_pattern_does_not_match(pattern: str, name: str) -> None:
    """A pattern is for the whole name, and other characters stand for themselves."""
    assert not matches(pattern, [name])


def test_one_name_is_enough() -> None:
    """A pattern matches a property if it matches one of its names; without names it does not."""
    assert matches("pay", ["salary", "Pay"])
    assert not matches("pay", ["salary", "Bonus"])
    assert not matches("*", [])


@given(st.text(), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_every_name_matches_itself(name: str, form: str) -> None:
    """A name is a pattern that matches it, in any Unicode form, and with blanks around it."""
    assert matches(name, [name])
    assert matches(name, [unicodedata.normalize(form, name)])  # type: ignore[arg-type]
    assert matches(f"\u00a0{name} ", [name])


def test_many_wildcards_are_no_trap() -> None:
    """A pattern of many wildcards and a long name that almost matches are compared at once."""
    assert not matches("*a" * 25 + "b", ["a" * 5000])


def test_equal_names_share_a_form() -> None:
    """Names that differ only in what makes no difference have a form in common."""
    assert same_forms("Größe") & same_forms(" GRÖSSE ")
    assert same_forms("Größe") == same_forms("grö\u200bße")
    assert not same_forms("Größe") & same_forms("Gross")
