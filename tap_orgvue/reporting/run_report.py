"""The form of the run report, for programs. It holds no cell value and no secret.

Its form is versioned: a member may be added in a version, none is renamed, removed or changed.
"""

# Annotations are evaluated: msgspec reads the types from them.

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta

from tap_orgvue.orgvue.request_log import RequestKind

REPORT_VERSION = 1

REASONS = [
    "done",
    "unexpected",
    "usage",
    "person_needed",
    "later",
    "streams_failed",
    "output_failed",
    "terminated",
]
"""The reasons of exit codes, as `exit_codes.reason_of` gives them."""

DATASET_RENAMED = "dataset_renamed"
PROPERTY_ADDED = "property_added"
PROPERTY_GONE = "property_gone"
PROPERTY_RENAMED = "property_renamed"
PROPERTY_RETYPED = "property_retyped"
COLUMN_EMPTIED = "column_emptied"
ROWS_CHANGED = "rows_changed"

CHANGES = [
    DATASET_RENAMED,
    PROPERTY_ADDED,
    PROPERTY_GONE,
    PROPERTY_RENAMED,
    PROPERTY_RETYPED,
    COLUMN_EMPTIED,
    ROWS_CHANGED,
]
"""The kinds of changes. They are texts, so that older pages can show kinds of later versions."""

_KINDS_OF_A_RUN = [kind.value for kind in RequestKind if kind is not RequestKind.PROBE]


def _either(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return f"{', '.join(words[:-1])} or {words[-1]}"


Instant = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")]


class Status(str, Enum):
    """How a stream's run ended."""

    SUCCEEDED = "succeeded"
    """All rows were sent."""
    UNCHANGED = "unchanged"
    """The dataset had not changed, and nothing was sent."""
    FAILED = "failed"
    """An error ended it; rows before the error may have been sent."""
    NOT_REACHED = "not_reached"
    """The run ended before its turn."""
    MISSING = "missing"
    """A stream of earlier runs whose dataset is gone or may no longer be read."""
    LEFT_OUT = "left_out"
    """A dataset that discovery skipped."""


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True):
    """The cause of a failure."""

    type: Annotated[str, Meta(description="The kind of error, for example TenantRefusal.")]
    message: Annotated[str, Meta(description="The message in the log.")]
    codes: Annotated[Sequence[str], Meta(description="Orgvue's error codes.")] = ()
    status: Annotated[int | None, Meta(description="The HTTP status of a refusal.")] = None
    trace_id: Annotated[str, Meta(description="The id that Orgvue's support needs.")] = ""
    retryable: Annotated[bool, Meta(description="True if a later run may succeed.")] = False


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change since the stream's last run."""

    kind: Annotated[
        str,
        Meta(
            description=f"{_either(CHANGES)}.",
            extra_json_schema={"enum": CHANGES},
        ),
    ]
    name: Annotated[
        str, Meta(description="The property's key, the column, the dataset or the stream.")
    ]
    before: Annotated[
        str | None, Meta(description="What it was: a name, type or number; null if unknown.")
    ] = None
    now: Annotated[str | None, Meta(description="What it is now; null if it is gone.")] = None


class Replication(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that were requested."""

    method: Annotated[str, Meta(description="FULL_TABLE or INCREMENTAL.")]
    key: Annotated[
        str | None, Meta(description="The replication key's column; null for a full table.")
    ] = None
    start: Annotated[
        str | None,
        Meta(
            description="Rows changed since then were requested: the bookmark or `start_date`; "
            "null for all rows."
        ),
    ] = None
    end: Annotated[
        str | None, Meta(description="The bookmark after the run; null without one.")
    ] = None


class StreamReport(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of a run."""

    stream: Annotated[
        str, Meta(description="The stream's name; of a left out dataset without one its own name.")
    ]
    status: Annotated[Status, Meta(description="How its run ended.")]
    dataset_id: Annotated[
        str | None, Meta(description="In upper case; null for the tap's own streams.")
    ] = None
    dataset_name: Annotated[
        str | None, Meta(description="The dataset's name in Orgvue; null if unknown.")
    ] = None
    rows: Annotated[
        int, Meta(ge=0, description="Rows read and sent on; a stream map may filter them.")
    ] = 0
    rows_before: Annotated[
        int | None, Meta(description="Rows of its last complete export; null if unknown.")
    ] = None
    rescued: Annotated[
        Mapping[str, int], Meta(description="Column to the number of its rescued values.")
    ] = {}
    delivery: Annotated[
        str | None,
        Meta(
            description="How the export was fetched: synchronous, job or slices; null without one.",
            extra_json_schema={"enum": ["synchronous", "job", "slices", None]},
        ),
    ] = None
    requests: Annotated[
        Mapping[str, int], Meta(description="Kind of request to the number sent, retries included.")
    ] = {}
    retries: Annotated[int, Meta(description="Requests that repeated a failed one.")] = 0
    throttles: Annotated[int, Meta(description="Responses with status 429.")] = 0
    bytes_received: Annotated[int, Meta(description="Bytes of its exports, as received.")] = 0
    waiting_seconds: Annotated[
        float,
        Meta(description="Seconds of waiting for Orgvue, also while other streams were sent."),
    ] = 0.0
    sending_seconds: Annotated[float, Meta(description="Seconds that sending took.")] = 0.0
    replication: Annotated[
        Replication | None, Meta(description="Which rows were requested; null if none were.")
    ] = None
    deletions: Annotated[
        str,
        Meta(
            description="off (no removal was due), sent (an ACTIVATE_VERSION message was sent), "
            "or withheld.",
            extra_json_schema={"enum": ["off", "sent", "withheld"]},
        ),
    ] = "off"
    deletions_withheld: Annotated[
        str | None, Meta(description="Why the message was withheld; null if it was not.")
    ] = None
    changes: Annotated[
        Sequence[Change], Meta(description="The changes since the stream's last run.")
    ] = ()
    error: Annotated[
        ErrorReport | None, Meta(description="Why it failed, is missing or was left out.")
    ] = None


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """A run and its streams."""

    version: Annotated[int, Meta(description="The version of this form.")] = REPORT_VERSION
    tenant: Annotated[str, Meta(description="Host and tenant id, as the state names them.")]
    tenant_id: Annotated[
        str, Meta(description="The setting `tenant_id`; unknown if it was refused.")
    ]
    tap_version: Annotated[str, Meta(description="The version of tap-orgvue.")]
    sdk_version: Annotated[str, Meta(description="The version of singer-sdk.")]
    python_version: Annotated[str, Meta(description="The version of Python.")]
    began_at: Annotated[
        Instant, Meta(description="UTC in whole seconds, for example 2026-01-31T02:00:00Z.")
    ]
    ended_at: Annotated[Instant, Meta(description="The same for the end.")]
    seconds: Annotated[float, Meta(description="Seconds from the beginning to the end.")]
    waiting_seconds: Annotated[
        float, Meta(description="Seconds of the run in which nothing was sent, only waited for.")
    ]
    exit_code: Annotated[int, Meta(description="See the table of exit codes.")]
    reason: Annotated[
        str,
        Meta(
            description=f"{_either(REASONS)}.",
            extra_json_schema={"enum": REASONS},
        ),
    ]
    error: Annotated[
        ErrorReport | None, Meta(description="The cause of an exit code other than 0.")
    ] = None
    rows: Annotated[int, Meta(description="The sum of the streams' rows.")] = 0
    rescued: Annotated[int, Meta(description="Values that were rescued.")] = 0
    requests: Annotated[
        Mapping[str, int],
        Meta(
            description=f"Kind ({', '.join(_KINDS_OF_A_RUN)}) to the number of requests sent, "
            "retries included."
        ),
    ] = {}
    retries: Annotated[int, Meta(description="Requests that repeated a failed one.")] = 0
    throttles: Annotated[int, Meta(description="Responses with status 429.")] = 0
    bytes_received: Annotated[int, Meta(description="Bytes of all responses, as received.")] = 0
    streams: Annotated[
        Sequence[StreamReport],
        Meta(description="Each selected stream, and each that is missing or was left out."),
    ] = ()


def report_schema() -> dict[str, object]:
    """The JSON Schema of a run report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Run report of tap-orgvue",
        **msgspec.json.schema(RunReport),
    }
