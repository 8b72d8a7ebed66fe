"""docs/checking.md and docs/api-assumptions.md say what the check says."""

from __future__ import annotations

import re

import pytest

from tap_orgvue.checking.assumptions import ASSUMPTIONS
from tests.project.documents import DOCS, transcript

CHANGING = (
    r"^tap-orgvue .*$",
    # The first dataset that responds.
    r"^✓ columns: .*$",
)


def masked(text: str) -> str:
    """A transcript without what is another each time."""
    for pattern in CHANGING:
        text = re.sub(pattern, "", text, flags=re.MULTILINE)
    return text


@pytest.mark.slow
def test_the_transcript_is_a_real_one() -> None:
    """The documented check is what the command writes for the simulator's tenant."""
    part = transcript()
    assert masked(part.found) == masked(part.text)


def test_the_transcript_shows_each_thing() -> None:
    """It has a hashed and an excluded column, a warning, and every assumption."""
    text = (DOCS / "checking.md").read_text(encoding="utf-8")
    for word in ("excluded salary", "hashed ", "⚠ filters: there is no stream"):
        assert word in text
    assert all(each.name in text for each in ASSUMPTIONS)


def test_the_stages_are_described() -> None:
    """Each stage of the transcript has a line in the table of stages."""
    text = (DOCS / "checking.md").read_text(encoding="utf-8")
    stages = re.findall(r"^✓ ([\w ]+): ", text, re.MULTILINE)
    assert len(stages) == 9
    assert all(f"| `{stage}` |" in text for stage in stages)
