"""The signals that end a run."""

from __future__ import annotations

import signal


def ending_signals() -> list[signal.Signals]:
    """SIGINT, SIGTERM, and SIGHUP unless it is ignored, as it is in a process under `nohup`."""
    found = [signal.SIGINT, signal.SIGTERM]
    # Windows has none.
    hangup: signal.Signals | None = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
        found.append(hangup)
    return found
