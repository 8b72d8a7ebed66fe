"""The command line: each error becomes the last line on stderr, and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from tap_orgvue.scrubbing import SCRUBBER
from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.singer.errors import OutputFailed, error_message
from tap_orgvue.singer.isolating_tap import Terminated
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

    The exit code is 1 after an error, 128 and the signal's number after a signal.
    """
    tune_process()
    _check_log_level()
    SCRUBBER.install()
    for number in ending_signals():
        # Until the tap takes them itself.
        signal.signal(number, _end)
    try:
        _run_command_line()
    except OutputFailed as error:
        TapOrgvue.logger.error("%s", error)
        sys.stderr.flush()
        # What Python still buffers cannot be delivered: at its own end it would try again.
        os._exit(1)
    except Terminated as terminated:
        TapOrgvue.logger.warning("%s What was sent is complete up to its last STATE.", terminated)
        sys.exit(terminated.code)
    except SettingsError as error:
        for mistake in error.mistakes:
            TapOrgvue.logger.error("%s", mistake)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last resort: one line instead of a traceback
        # The last line on stderr is the cause, so the way there comes before it.
        TapOrgvue.logger.debug("The run ends because of an error.", exc_info=True)
        lines = error.lines if isinstance(error, StreamsFailed) else [error_message(error)]
        # A line feed of the format breaks lines; one in a line is escaped.
        TapOrgvue.logger.error("\n".join(["%s"] * len(lines)), *lines)
        sys.exit(1)


def _run_command_line() -> None:
    """Run the command line until all of its output is out.

    Raises:
        OutputFailed: Standard output did not take all of it.
    """
    try:
        TapOrgvue.cli()
    except SystemExit:
        # `--version` and `--help` leave their text in Python's buffer.
        flush_stdout()
        raise


def _check_log_level() -> None:
    """Refuse a log level that Python's logging does not know: it would say so in its own words."""
    for variable in ("TAP_ORGVUE_LOGLEVEL", "LOGLEVEL"):
        level = os.environ.get(variable)
        if level == "":
            # The SDK takes an empty variable for a level.
            del os.environ[variable]
        elif level is not None and level.upper() not in _LOG_LEVELS:
            sys.stderr.write(f"{variable}: must be one of {', '.join(_LOG_LEVELS)}.\n")
            sys.exit(1)


def _end(signum: int, _: FrameType | None) -> None:
    raise Terminated(signum)
