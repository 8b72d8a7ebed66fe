"""Fuzzing: a bounded number of random inputs; `make fuzz` goes on for longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_orgvue.orgvue.errors import OrgvueError
from tests.trials import fuzz

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("promise", fuzz.PROMISES, ids=lambda promise: promise.__name__)
def test_random_input(promise: Callable[[int], str]) -> None:
    """Random exports, whole or damaged, become every row or an error, and never a crash."""

    @given(st.integers(0, 2**32))
    @settings(max_examples=500, deadline=None, database=None)
    def examples(seed: int) -> None:
        assert promise(seed) in {"whole", "read", "told"}

    examples()


@given(st.binary(max_size=400))
@settings(max_examples=500, deadline=None, database=None)
def test_any_bytes(body: bytes) -> None:
    """Any bytes at all are an export or an error."""
    try:
        fuzz.read(iter([body[:7], body[7:]]))
    except OrgvueError as error:
        assert str(error)  # noqa: PT017 - as right an outcome as an export


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m tests.trials.fuzz` tells how many inputs it tried and what came of them."""
    assert fuzz.main(["--seconds", "0.2", "--seed", "7"]) == 0
    assert "inputs in 0.2 seconds" in capsys.readouterr().out
