"""The exit codes, and the code for each error."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.settings import SettingsError
from tap_orgvue.singer.errors import (
    BatchFileFailed,
    OutputFailed,
    StreamMapFailed,
    StreamMapsInvalid,
)
from tap_orgvue.singer.isolating_tap import Terminated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SIGNAL = 128
"""Added to the number of the signal that ended the run."""

TERMINATED = "terminated"
"""The reason of a run that a signal ended."""


class ExitCode(IntEnum):
    """The exit code of a run. Its meaning never changes; its name in lower case is its reason."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    PERSON_NEEDED = 3
    LATER = 4
    STREAMS_FAILED = 5
    OUTPUT_FAILED = 6

    @property
    def reason(self) -> str:
        """The word for programs, for example `person_needed`."""
        return self.name.lower()


_LATER = (
    "The run ended early, and may succeed later: the day's quota, `max_requests_per_run` or "
    "`max_retry_wait` is used up, or Orgvue cannot be reached."
)
_PERSON = (
    "A person is needed: for a setting, the token, the catalog or the state. Or the only streams "
    "that failed are missing, forbidden, or contradict a setting or the catalog."
)
_STREAMS = (
    "Some streams failed, and at least one of them may succeed in another run. All others are "
    "complete, with their state."
)
_OUTPUT = (
    "What was read could not be delivered: the loader is gone, or standard output or a BATCH file "
    "cannot be written."
)

EXPLAINED: Mapping[ExitCode, tuple[str, str]] = {
    ExitCode.DONE: ("Everything was done.", "Nothing."),
    ExitCode.UNEXPECTED: (
        "Something unexpected happened: a response of unknown form, or a mistake of the tap.",
        "Report it with the last lines of the log. A retry does no harm.",
    ),
    ExitCode.USAGE: (
        "The command line is wrong: an unknown option, or a state or catalog that is not there.",
        "Correct the command; `--help` lists the options.",
    ),
    ExitCode.PERSON_NEEDED: (
        _PERSON,
        "Do not retry. The last line of the log says what to change.",
    ),
    ExitCode.LATER: (_LATER, "Run again later; after a used-up quota, tomorrow."),
    ExitCode.STREAMS_FAILED: (_STREAMS, "Run again."),
    ExitCode.OUTPUT_FAILED: (_OUTPUT, "Look at the loader's log, and at the room on the disk."),
}
"""Exit code to what happened and what to do next."""

_OF_A_RUN = {
    Remedy.PERSON: ExitCode.PERSON_NEEDED,
    Remedy.LATER: ExitCode.LATER,
    Remedy.UNKNOWN: ExitCode.UNEXPECTED,
}
_OF_A_STREAM = {
    ExitCode.PERSON_NEEDED: ExitCode.PERSON_NEEDED,
    ExitCode.OUTPUT_FAILED: ExitCode.OUTPUT_FAILED,
}
"""The code of a stream's error to the run's code; any other error is worth a retry."""

_PERSON_NEEDED = (SettingsError, StreamMapsInvalid, StreamMapFailed)
_OUTPUT_FAILED = (OutputFailed, BatchFileFailed)


def exit_code_of(error: BaseException) -> int:
    """The exit code of a run that an error ended.

    Args:
        error: Any error; `exit_code` and `remedy` count if it has them.
    """
    if isinstance(error, Terminated):
        return error.code
    own = getattr(error, "exit_code", None)
    if isinstance(own, ExitCode):
        return own
    if isinstance(error, _OUTPUT_FAILED):
        return ExitCode.OUTPUT_FAILED
    if isinstance(error, _PERSON_NEEDED):
        return ExitCode.PERSON_NEEDED
    return _OF_A_RUN[getattr(error, "remedy", Remedy.UNKNOWN)]


def exit_code_of_streams(errors: Iterable[BaseException]) -> ExitCode:
    """The exit code of a run that completed, with streams that failed.

    Args:
        errors: The error of each stream.
    """
    codes = {_of_stream(error) for error in errors}
    order = (ExitCode.STREAMS_FAILED, ExitCode.OUTPUT_FAILED, ExitCode.PERSON_NEEDED)
    return next((code for code in order if code in codes), ExitCode.DONE)


def may_pass(code: int) -> bool:
    """True if a later run may succeed where one ended with this exit code."""
    return code > SIGNAL or code in {ExitCode.LATER, ExitCode.STREAMS_FAILED}


def stream_may_pass(error: BaseException) -> bool:
    """True if a stream that failed may succeed in another run; a signal says nothing of it."""
    return not isinstance(error, Exception) or may_pass(exit_code_of_streams([error]))


def _of_stream(error: BaseException) -> ExitCode:
    # A BATCH file on a full disk: all other files have errors of their own.
    if isinstance(error, OSError):
        return ExitCode.OUTPUT_FAILED
    return _OF_A_STREAM.get(ExitCode(exit_code_of(error)), ExitCode.STREAMS_FAILED)


def reason_of(code: int) -> str:
    """The reason of an exit code: one of `ExitCode`, or `terminated` for a signal's."""
    return TERMINATED if code > SIGNAL else ExitCode(code).reason
