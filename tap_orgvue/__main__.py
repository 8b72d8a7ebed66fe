"""The command `tap-orgvue`: installs signal handlers first, then imports and runs the tap."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tap_orgvue.singer.signals import ending_signals
from tap_orgvue.tuning import quick_imports

if TYPE_CHECKING:
    from types import FrameType


def main() -> None:
    """Run the tap's command line."""
    for number in ending_signals():
        signal.signal(number, _end)
    with quick_imports():
        from tap_orgvue.cli import run  # noqa: PLC0415 - not before the above
    run()


def _end(signum: int, _: FrameType | None) -> None:
    """End without a traceback."""
    os._exit(128 + signum)


if __name__ == "__main__":
    main()
