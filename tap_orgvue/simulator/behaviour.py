"""The behaviour of the simulator: settings that can be changed at any time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tap_orgvue.simulator.query import Manners

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


@dataclass
class Behaviour:
    """The settings.

    Attributes:
        api_url: The API's origin; links are built from it. Known once started.
        files_url: The file store's origin, likewise.
        sync_limit_bytes: Synchronous exports of more bytes (before compression) are refused.
        too_large_status: The status they are refused with: 413 with an error body; 502, 503, 504
            as a gateway says it.
        post_export: Whether `POST …/export/{format}` is there, else 405.
        async_export: Whether `POST …/export` is there, else 404.
        unknown_projection: `ignore` or `refuse`: what to do with a projection of a property that
            does not exist.
        unknown_filter: `nothing` or `refuse`: what a filter over such a property finds.
        ignores_filters: Filters are checked but not applied.
        ignores_projections: Every column is exported, whatever a projection names.
        unfilterable: Keys of the properties over which a filter is refused.
        page_rows: The list and synchronous exports response in pages of so many items.
        next_origin: The origin of links to the next page; the API's own without one.
        strict_pages: The next page of an export has to be asked for by the method and the body
            of the first, else 405 or 400; without it a GET will do.
        next_method: Whether a link to the next page tells the method.
        live_pages: A page shows the dataset as it is by then, not as it was at the first page.
        page_end: What follows the last row: `stop`; `empty` pages without end; or `loop`, a last
            page that names itself as the next.
        job_polls: The status a ticket tells at each poll; the last one repeats.
        job_seconds: Until then `completed` is told as `running`.
        fail_jobs: So many of the next jobs end `failed`.
        fail_first_jobs: The first job of each dataset ends `failed`.
        job_status_word: Sent instead of every status.
        drafts: Whether the endpoints of drafts are there, else 404.
        draft_answer: The response to `POST /drafts/actions`: a `ticket`, one that is
            `completed` already, or the `array` of actions itself.
        file_lifetime: Seconds after which a job's ticket and result are refused as expired.
        expire_results: The number of further result URLs that have expired when they are sent.
        plain_results: A job's result is not compressed, in spite of `resultEncoding`.
        result_content_encoding: A gzip result comes with `Content-Encoding: gzip`, not as a bare
            gzip file.
        rate_limit: Requests a second, over any second; more are 42901.
        concurrency_limit: Requests at once; more are 42901.
        daily_quota: Requests in all; more are 42902.
        retry_after: The `Retry-After` of refusals for these limits.
        seconds: Server time of each API request.
        seconds_of: Server time by route, of the file store's routes too; it wins over `seconds`.
        trickle: Bytes a second at which bodies are sent.
        date_header: How many seconds the `Date` header is ahead of this machine's clock; a text
            is told as it is; with `None` there is no such header.
    """

    api_url: str = ""
    files_url: str = ""
    sync_limit_bytes: int | None = None
    too_large_status: int = 413
    post_export: bool = True
    async_export: bool = True
    unknown_projection: str = "ignore"
    unknown_filter: str = "nothing"
    ignores_filters: bool = False
    ignores_projections: bool = False
    unfilterable: Collection[str] = ()
    page_rows: int | None = None
    next_origin: str | None = None
    strict_pages: bool = False
    next_method: bool = True
    live_pages: bool = False
    page_end: Literal["stop", "empty", "loop"] = "stop"
    job_polls: Sequence[str] = ("created", "running", "completed")
    job_seconds: float = 0.0
    fail_jobs: int = 0
    fail_first_jobs: bool = False
    job_status_word: str | None = None
    drafts: bool = True
    draft_answer: Literal["ticket", "completed", "array"] = "ticket"
    file_lifetime: float = 900.0
    expire_results: int = 0
    plain_results: bool = False
    result_content_encoding: bool = False
    rate_limit: int = 100
    concurrency_limit: int = 50
    daily_quota: int = 500_000
    retry_after: str | float | None = None
    seconds: float = 0.0
    seconds_of: dict[str, float] = field(default_factory=dict)
    trickle: float | None = None
    date_header: float | str | None = 0.0

    @property
    def manners(self) -> Manners:
        """What queries need to know."""
        return Manners(
            self.unknown_projection,
            self.unknown_filter,
            self.ignores_filters,
            self.ignores_projections,
            self.unfilterable,
        )
