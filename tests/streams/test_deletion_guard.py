"""Whether rows that an export no longer has may be removed from the table."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from unittest.mock import create_autospec

import pytest

from tap_orgvue.singer.deferred_versions import DeferredVersionStream
from tap_orgvue.streams.deletion_guard import activate_version_if_safe, reason_to_withhold
from tap_orgvue.streams.state import StreamState

if TYPE_CHECKING:
    from unittest.mock import Mock

PART = "the token's user sees only a part of the dataset now"


def stream(version: int | None = 18) -> Mock:
    """A stream whose records carry a version, or none."""
    made: Mock = create_autospec(DeferredVersionStream, instance=True)
    made.name, made.version, made.logger = "people", version, logging.getLogger("tap-orgvue")
    return made


def guarded(made: Mock, state: StreamState, rows: int, **how: Any) -> str | None:
    """Why the version is not activated, by default with a guard of 50 percent."""
    return activate_version_if_safe(
        made, state, rows, **{"permissioned": False, "guard_percent": 50, **how}
    )


@pytest.mark.parametrize(
    "before,rows,percent,kept",
    [
        (None, 0, 100, False),
        (10, 5, 50, False),
        (10, 4, 50, True),
        (10, 10, 100, False),
        (10, 9, 100, True),
        (1000, 9, 1, True),
        (1000, 10, 1, False),
        (10_000, 4_999, 50, True),
        (10, 0, 0, False),
        (0, 0, 100, False),
    ],
)
def test_too_few_rows_are_a_reason(
    before: int | None,
    rows: int,
    percent: int,
    kept: bool,  # noqa: FBT001 - what is expected
) -> None:
    """Fewer than the share of the last export; 0 switches the guard off."""
    state = StreamState(rows=before)
    why = reason_to_withhold(state, rows, permissioned=False, guard_percent=percent)
    told = f"the export has {rows} rows, fewer than {percent} % of the {before} of the last one"
    assert why == (told if kept else None)


@pytest.mark.parametrize(
    "before,now,percent,kept",
    [
        (False, True, 50, True),
        (None, True, 50, False),
        (True, True, 50, False),
        (True, False, 50, False),
        (False, False, 50, False),
        (False, True, 0, False),
    ],
)
def test_a_part_of_a_dataset_is_a_reason(
    before: bool | None,  # noqa: FBT001 - one of the cases
    now: bool,  # noqa: FBT001 - one of the cases
    percent: int,
    kept: bool,  # noqa: FBT001 - what is expected
) -> None:
    """If it was known to be whole before."""
    state = StreamState(rows=10, permissioned=before)
    why = reason_to_withhold(state, 10, permissioned=now, guard_percent=percent)
    assert why == (PART if kept else None)


def test_an_activated_version_is_remembered() -> None:
    """With the rows that the table mirrors from now on."""
    made, state = stream(), StreamState(rows=5, version=17, permissioned=False)
    assert guarded(made, state, 7) is None
    made.activate_version.assert_called_once_with()
    assert (state.rows, state.version, state.permissioned) == (7, 18, False)
    assert guarded(made, state, 7, permissioned=True, guard_percent=0) is None
    assert state.permissioned is True


def test_a_withheld_version_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """As an error, with the setting that allows it; the next run compares with the same rows."""
    made, state = stream(), StreamState(rows=10, version=17, permissioned=False)
    why = guarded(made, state, 10, permissioned=True)
    assert why == PART
    made.activate_version.assert_not_called()
    assert (state.rows, state.version, state.permissioned) == (10, 18, False)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    for words in ("'people'", "NOT removed", PART, "`delete_guard_percent` 0"):
        assert words in record.getMessage()


@pytest.mark.parametrize("version,kept", [(None, 7), (17, 10)])
def test_rows_without_a_version_count_until_there_is_one(version: int | None, kept: int) -> None:
    """The guard compares a mirrored table with the last export that it mirrors."""
    made, state = stream(version=None), StreamState(rows=10, version=version)
    assert guarded(made, state, 7) is None
    made.activate_version.assert_not_called()
    assert (state.rows, state.version) == (kept, version)
