"""Runs the command line: each error becomes the last line on stderr, and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from tap_orgvue.exit_codes import ExitCode, exit_code_of
from tap_orgvue.run_ending import conclude, ending_of, warn_of_signal
from tap_orgvue.scrubbing import SCRUBBER
from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.singer.errors import LoaderGone, OutputFailed, error_message
from tap_orgvue.singer.isolating_tap import IMPATIENT_SECONDS, Terminated
from tap_orgvue.singer.output import flush_stdout
from tap_orgvue.singer.signals import ending_signals
from tap_orgvue.tap import TapOrgvue
from tap_orgvue.tap_command import StreamsFailed
from tap_orgvue.tuning import tune_process

if TYPE_CHECKING:
    from types import FrameType


_LOG_LEVELS = ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL", "NOTSET")


def run() -> None:
    """Run the tap's command line, and end the process.

    See `exit_codes` for the codes.
    """
    tune_process()
    _check_log_level()
    SCRUBBER.install()
    for number in ending_signals():
        # Until the tap installs its own handlers.
        signal.signal(number, _end)
    try:
        _run_command_line()
    except SystemExit as ended:
        _conclude(ended)
        raise
    except OutputFailed as error:
        _conclude(error)
        TapOrgvue.logger.error("%s", error)
        # What Python still buffers cannot be delivered: at its own end it would try again.
        os._exit(exit_code_of(error))
    except Terminated as terminated:
        _conclude(terminated)
        warn_of_signal(terminated, TapOrgvue.logger)
        sys.exit(exit_code_of(terminated))
    except SettingsError as error:
        _conclude(error)
        for mistake in error.mistakes:
            TapOrgvue.logger.error("%s", mistake)
        sys.exit(exit_code_of(error))
    except Exception as error:  # noqa: BLE001 - the last resort: one line instead of a traceback
        _conclude(error)
        # The last line on stderr is the cause: the traceback comes before it.
        TapOrgvue.logger.debug("The run ends because of an error.", exc_info=True)
        lines = error.lines if isinstance(error, StreamsFailed) else [error_message(error)]
        # A line feed of the format breaks lines; one in a line is escaped.
        TapOrgvue.logger.error("\n".join(["%s"] * len(lines)), *lines)
        sys.exit(exit_code_of(error))


def _conclude(error: BaseException) -> None:
    """Log the totals of a run and write its report; the cause of its end is logged after them.

    Args:
        error: The error that ends the process; `SystemExit` if nothing failed.
    """
    recorder, TapOrgvue.recorder = TapOrgvue.recorder, None
    if recorder is None:
        return
    code = ending_of(error).exit_code
    begun = time.monotonic()

    def end_if_impatient(*_: object) -> None:
        # A signal often comes twice within a second.
        if time.monotonic() - begun > IMPATIENT_SECONDS:
            os._exit(code)

    for number in ending_signals():
        signal.signal(number, end_if_impatient)
    conclude(recorder, error, TapOrgvue.logger)


def _run_command_line() -> None:
    """Run the command line until all of its output is out.

    Raises:
        OutputFailed: Standard output did not take all of it.
    """
    stdout = sys.stdout
    try:
        TapOrgvue.cli()
    except SystemExit:
        if sys.stdout is not stdout:
            # click hides a closed pipe, by another standard output and an exit with 1.
            raise LoaderGone("The reader closed the pipe before everything was written.") from None
        # `--version` and `--help` leave their text in Python's buffer.
        flush_stdout()
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        # From a text that click writes: `singer.output` writes the messages.
        raise OutputFailed(f"Standard output cannot be written: {error.strerror}.") from None


def _check_log_level() -> None:
    """Refuse a log level that Python does not have, in a message that names the variable."""
    for variable in ("TAP_ORGVUE_LOGLEVEL", "LOGLEVEL"):
        level = os.environ.get(variable)
        if level == "":
            # The SDK takes an empty variable for a level.
            del os.environ[variable]
        elif level is not None and level.upper() not in _LOG_LEVELS:
            sys.stderr.write(f"{variable}: must be one of {', '.join(_LOG_LEVELS)}.\n")
            sys.exit(ExitCode.PERSON_NEEDED)


def _end(signum: int, _: FrameType | None) -> None:
    raise Terminated(signum)
