"""Serves the demo tenant until it is stopped, and prints a config for the tap."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from threading import Event
from typing import TYPE_CHECKING

from tap_orgvue.simulator import Orgvue, demo_tenant

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve in the foreground until Ctrl-C or SIGTERM.

    Args:
        arguments: The command line; that of the process without one.

    Returns:
        The exit code: 0, or 1 when a port is taken or is none.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tap_orgvue.simulator",
        description="Serve a demo tenant of Orgvue on the loopback address. Prints one JSON "
        "document on stdout: a config for tap-orgvue.",
    )
    parser.add_argument("--port", type=int, default=0, help="of the API (default: a free one)")
    parser.add_argument("--files-port", type=int, default=0, help="of the file store (likewise)")
    options = parser.parse_args(arguments)
    orgvue = Orgvue(demo_tenant(), port=options.port, files_port=options.files_port)
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        orgvue.start()
    except (OSError, OverflowError) as error:
        print(f"The simulator cannot start: {error}", file=sys.stderr)
        return 1
    print(json.dumps(orgvue.config, indent=2), flush=True)
    print(
        f"A small Orgvue serves {len(orgvue.tenant.datasets)} datasets on {orgvue.api_url}, "
        f"files on {orgvue.files_url}.\n"
        "The JSON above is a config: save it as config.json, then in another terminal\n"
        "  tap-orgvue --config config.json --discover\n"
        "Stop with Ctrl-C.",
        file=sys.stderr,
        flush=True,
    )
    stopped.wait()
    orgvue.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
