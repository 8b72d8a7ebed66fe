"""The settings of the connection to a tenant; `settings` says how to declare one."""

# Annotations are evaluated: msgspec reads the types from them.

from typing import Annotated

import msgspec
from msgspec import Meta

from tap_orgvue import __version__
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.settings import readers
from tap_orgvue.settings.regions import REGIONS

Positive = Annotated[int, Meta(ge=1)]

Seconds = Annotated[int, Meta(ge=1, le=31_536_000)]
"""At most a year; far longer timeouts overflow."""

DEFAULT_USER_AGENT = f"tap-orgvue/{__version__}"


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Server, tenant and token; limits, retries, and how exports are fetched."""

    api_token: Annotated[
        str,
        Meta(
            title="API token",
            description="The bearer token, made on the tokens page of the region's Orgvue.",
            extra={"read": readers.read_token, "secret": True},
        ),
    ]
    tenant_id: Annotated[
        str,
        Meta(
            title="Tenant id",
            description="The tenant's id, as the tenants page shows it, for example ACME.",
            extra={"read": readers.read_tenant_id},
        ),
    ]
    region: Annotated[
        str | None,
        Meta(
            title="Region",
            description="Where the tenant lives. One of region and api_url is required.",
            extra_json_schema={"enum": list(REGIONS)},
        ),
    ] = None
    api_url: Annotated[
        str,
        Meta(
            title="API URL",
            description="Scheme and host of an Orgvue server, instead of region's. https only; "
            "plain http only for loopback addresses.",
            extra={"read": readers.read_api_url},
        ),
    ] = ""
    user_agent: Annotated[
        str,
        Meta(
            title="User agent",
            description="The User-Agent header of all requests.",
            extra={"read": readers.read_user_agent},
        ),
    ] = DEFAULT_USER_AGENT
    request_timeout: Annotated[
        Seconds,
        Meta(
            title="Request timeout",
            description="Seconds to wait for a response to begin, for its next bytes, and for all "
            "of a small one: a list, metadata, a job ticket, a refusal.",
        ),
    ] = 300
    max_parallel_requests: Annotated[
        int,
        Meta(
            title="Parallel requests",
            description="The most requests in flight at once, from 1 to 50.",
            ge=1,
            le=50,
        ),
    ] = 8
    max_retries: Annotated[
        int,
        Meta(
            title="Retries",
            description="How often a request is retried after a throttle, a server error or a "
            "broken connection.",
            ge=0,
            le=100,
        ),
    ] = 6
    max_retry_wait: Annotated[
        Seconds,
        Meta(
            title="Longest retry wait",
            description="The most seconds that Orgvue may ask the tap to wait before one retry. "
            "If it asks for more, the run ends and says when to come back.",
        ),
    ] = 900
    max_requests_per_run: Annotated[
        Positive | None,
        Meta(
            title="Requests per run",
            description="The most requests of a run; a run that needs more ends with an error.",
        ),
    ] = None
    max_requests_per_second: Annotated[
        int,
        Meta(
            title="Requests per second",
            description="The most requests a second, from 1 to 100: Orgvue's limit for a tenant. "
            "Several runs of one tenant share it, so give each a part.",
            ge=1,
            le=100,
        ),
    ] = 90
    export_mode: Annotated[
        ExportMode,
        Meta(
            title="Export mode",
            description="How rows are fetched: sync in one response, async through an export job, "
            "paged in slices of _id, or auto, the first of them that works for a "
            "dataset.",
        ),
    ] = ExportMode.AUTO
    job_timeout: Annotated[
        Seconds,
        Meta(
            title="Job timeout",
            description="Seconds that an export job may take as a whole, its download included.",
        ),
    ] = 3600
    temp_dir: Annotated[
        str | None,
        Meta(
            title="Temporary folder",
            description="Where exports are kept, as unnamed files, until they are sent; the "
            "system's by default. It needs room for as many exports as may be in "
            "flight.",
            extra={"read": readers.read_temp_dir},
        ),
    ] = None
