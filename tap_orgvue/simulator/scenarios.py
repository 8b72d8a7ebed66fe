"""The trouble that the simulator's command can be started with: `--trouble KIND[=VALUE]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_orgvue.simulator.orgvue import Orgvue

#: Exports of more bytes take a job, where the trouble is that of jobs.
_SYNC_LIMIT = 100_000
_EXPORTS = ("export", "download")


@dataclass(frozen=True)
class Scenario:
    """A kind of trouble.

    Attributes:
        value: What the value is: `share` (0 to 1), `number` (above 0), `count` (whole, above 0), or
            `dataset` (a name or an id).
        default: The value without one; empty where one has to be given.
        text: What happens, beginning with what the value is.
        begin: Orders it.
    """

    value: str
    default: str
    text: str
    begin: Callable[[Orgvue, str], None]


def _throttle(orgvue: Orgvue, share: str) -> None:
    orgvue.refuse("42901", share=float(share), times=None, retry_after=1)


def _server_error(orgvue: Orgvue, share: str) -> None:
    orgvue.refuse(503, share=float(share), times=None)


def _cut_download(orgvue: Orgvue, share: str) -> None:
    orgvue.hang_up(on=_EXPORTS, after=-20, share=float(share), times=None)


def _slow_job(orgvue: Orgvue, seconds: str) -> None:
    orgvue.sync_limit_bytes, orgvue.job_seconds = _SYNC_LIMIT, float(seconds)


def _failed_job(orgvue: Orgvue, share: str) -> None:
    orgvue.sync_limit_bytes = _SYNC_LIMIT
    orgvue.plan_job("failed", errors="500601", share=float(share), times=None)


def _drip(orgvue: Orgvue, rate: str) -> None:
    orgvue.trickle = float(rate)


def _pages(orgvue: Orgvue, rows: str) -> None:
    orgvue.page_rows = int(rows)


def _quota(orgvue: Orgvue, requests: str) -> None:
    orgvue.daily_quota = int(requests)


def _errors(orgvue: Orgvue, dataset: str) -> None:
    orgvue.add_errors(on=_EXPORTS, dataset=dataset, times=None)


def _broken(orgvue: Orgvue, dataset: str) -> None:
    orgvue.refuse(500, dataset=dataset, times=None)


def _forbidden(orgvue: Orgvue, dataset: str) -> None:
    orgvue.dataset(dataset).hidden_because = "403601"


SCENARIOS: Mapping[str, Scenario] = {
    "throttle": Scenario("share", "0.1", "share of requests refused with 42901", _throttle),
    "server-error": Scenario("share", "0.1", "share of requests answered with 503", _server_error),
    "cut-download": Scenario(
        "share", "0.3", "share of exports cut before their end", _cut_download
    ),
    "failed-job": Scenario(
        "share", "0.5", "share of jobs that fail; large exports take one", _failed_job
    ),
    "slow-job": Scenario(
        "number", "30", "seconds that jobs run; large exports take one", _slow_job
    ),
    "drip": Scenario("number", "20000", "bytes a second at which bodies are sent", _drip),
    "pages": Scenario("count", "500", "rows of each page of a list or an export", _pages),
    "quota": Scenario("count", "20", "requests in all, more are refused with 42902", _quota),
    "errors": Scenario("dataset", "", "dataset whose exports hold errors beside rows", _errors),
    "broken": Scenario("dataset", "", "dataset that answers every request with 500", _broken),
    "forbidden": Scenario("dataset", "", "dataset that the user may not read", _forbidden),
}


_NUMBERS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "share": ("a share above 0, up to 1", lambda text: 0 < float(text) <= 1),
    "number": ("a number above 0", lambda text: 0 < float(text) < float("inf")),
    "count": ("a whole number above 0", lambda text: int(text) > 0),
}


def read_scenario(text: str) -> tuple[str, str]:
    """Read `KIND` or `KIND=VALUE`.

    Returns:
        The kind, and its value or default.

    Raises:
        ValueError: There is no such kind, or the value is none of its sort.
    """
    name, given, value = text.partition("=")
    scenario = SCENARIOS.get(name)
    if scenario is None:
        raise ValueError(f"{name!r} is no kind of trouble: choose from {', '.join(SCENARIOS)}")
    value = value if given else scenario.default
    if scenario.value == "dataset":
        if not value:
            raise ValueError(f"{name} takes a dataset's name or id: {name}=NAME")
        return name, value
    wanted, fits = _NUMBERS[scenario.value]
    try:
        is_fine = fits(value)
    except ValueError:
        is_fine = False
    if not is_fine:
        raise ValueError(f"{name} takes {wanted}, not {value!r}")
    return name, value


def scenarios_help() -> str:
    """List the kinds, a line each."""
    lines = []
    for name, each in SCENARIOS.items():
        told = f"{name}[={each.default}]" if each.default else f"{name}=NAME"
        lines.append(f"  {told:<21} {each.text}")
    return "\n".join(lines)
