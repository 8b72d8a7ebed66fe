"""Serves the demo tenant until it is stopped, and prints a config for the tap."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
from threading import Event
from typing import TYPE_CHECKING

from tap_orgvue.simulator import Orgvue, demo_tenant
from tap_orgvue.simulator.scenarios import SCENARIOS, read_scenario, scenarios_help

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HIGHEST_PORT = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve in the foreground until Ctrl-C or SIGTERM.

    Args:
        arguments: The command line; that of the process without one.

    Returns:
        The exit code: 0, or 1 when a port cannot be used.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    # As many positions for each person as there are without the option.
    tenant = demo_tenant(options.people, options.people - options.people // 30, options.seed)
    orgvue = Orgvue(tenant, port=options.port, files_port=options.files_port)
    orgvue.seconds = options.latency
    try:
        for name, value in options.trouble:
            SCENARIOS[name].begin(orgvue, value)
    except KeyError as error:
        names = ", ".join(repr(dataset.name) for dataset in tenant.datasets)
        parser.error(f"argument --trouble: there is no dataset {error}: choose from {names}")
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        orgvue.start()
    except OSError as error:
        ports = f"port {options.port}, files on port {options.files_port}"
        print(f"The simulator cannot start on {ports}: {error.strerror}", file=sys.stderr)
        return 1
    print(json.dumps(orgvue.config, indent=2), flush=True)
    print(
        f"A small Orgvue serves {len(orgvue.tenant.datasets)} datasets on {orgvue.api_url}, "
        f"files on {orgvue.files_url}.\n"
        "Standard output has a config: save it as config.json, then in another terminal\n"
        "  tap-orgvue --config config.json --discover\n"
        "Stop with Ctrl-C.",
        file=sys.stderr,
        flush=True,
    )
    stopped.wait()
    orgvue.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tap_orgvue.simulator",
        description="Serve a demo tenant of Orgvue on the loopback address. Prints one JSON "
        "document on stdout: a config for tap-orgvue.",
        epilog=f"kinds of trouble, each with its default value:\n{scenarios_help()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=_port, default=0, help="of the API (default: a free one)")
    parser.add_argument("--files-port", type=_port, default=0, help="of the file store (likewise)")
    parser.add_argument(
        "--people",
        type=_at_least_0(int),
        default=3000,
        metavar="N",
        help="size of the tenant: so many people, and positions for them (default: 3000)",
    )
    parser.add_argument(
        "--seed", type=int, default=2026, help="makes another tenant of this size (default: 2026)"
    )
    parser.add_argument(
        "--latency",
        type=_at_least_0(float),
        default=0.0,
        metavar="SECONDS",
        help="time that each request to the API takes (default: 0)",
    )
    parser.add_argument(
        "--trouble",
        type=_scenario,
        action="append",
        default=[],
        metavar="KIND[=VALUE]",
        help="trouble to meet, see below; can be repeated",
    )
    return parser


def _at_least_0(kind: type[int | float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = kind(-1)
        if number < 0 or not math.isfinite(number):
            number_in_words = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is no {number_in_words} of at least 0")
        return number

    return read


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= _HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is no port, from 0 to {_HIGHEST_PORT}")
    return int(text)


def _scenario(text: str) -> tuple[str, str]:
    try:
        return read_scenario(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
