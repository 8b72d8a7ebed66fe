"""The run report: what a run did, for programs. No value of a cell, no secret.

Its form is versioned: a member may be added in a version, none is renamed, removed or changed.
"""

# Annotations are evaluated: msgspec reads the types from them.

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta

REPORT_VERSION = 1


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
    """Why something failed."""

    type: Annotated[str, Meta(description="The kind of error, for example TenantRefusal.")]
    message: Annotated[str, Meta(description="What the log says of it.")]
    codes: Annotated[Sequence[str], Meta(description="Orgvue's error codes.")] = ()
    status: Annotated[int | None, Meta(description="The HTTP status of a refusal.")] = None
    trace_id: Annotated[str, Meta(description="What Orgvue's support asks for.")] = ""
    retryable: Annotated[bool, Meta(description="True if a later run may succeed.")] = False


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that differs from the stream's last run."""

    kind: Annotated[
        str,
        Meta(
            description="dataset_renamed, property_added, property_gone, property_renamed, "
            "property_retyped, column_emptied or rows_changed."
        ),
    ]
    name: Annotated[str, Meta(description="The property's key, the column or the dataset.")]
    before: Annotated[str | None, Meta(description="What it was: a name, type or number.")] = None
    now: Annotated[str | None, Meta(description="What it is now.")] = None


class Replication(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows were requested."""

    method: Annotated[str, Meta(description="FULL_TABLE or INCREMENTAL.")]
    key: Annotated[str | None, Meta(description="The replication key's column.")] = None
    start: Annotated[str | None, Meta(description="The bookmark before the run.")] = None
    end: Annotated[str | None, Meta(description="The bookmark after the run.")] = None


class StreamReport(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one stream."""

    stream: Annotated[str, Meta(description="The stream's name.")]
    status: Status
    dataset_id: Annotated[str | None, Meta(description="None for the tap's own streams.")] = None
    dataset_name: str | None = None
    rows: Annotated[int, Meta(ge=0, description="Rows sent.")] = 0
    rows_before: Annotated[
        int | None, Meta(description="Rows of its last complete export; None if unknown.")
    ] = None
    rescued: Annotated[
        Mapping[str, int], Meta(description="Column to the number of its rescued values.")
    ] = {}
    delivery: Annotated[
        str | None,
        Meta(description="How the export came: synchronous, job or slices; None without one."),
    ] = None
    requests: Annotated[
        Mapping[str, int], Meta(description="Kind of request to the number sent, retries included.")
    ] = {}
    retries: int = 0
    throttles: int = 0
    bytes_received: Annotated[int, Meta(description="Bytes of its exports, as received.")] = 0
    waiting_seconds: Annotated[float, Meta(description="Seconds that Orgvue took.")] = 0.0
    sending_seconds: Annotated[float, Meta(description="Seconds that sending took.")] = 0.0
    replication: Replication | None = None
    deletions: Annotated[
        str,
        Meta(
            description="off, sent (the loader was told to remove missing rows), or withheld.",
        ),
    ] = "off"
    deletions_withheld: Annotated[str | None, Meta(description="Why they were withheld.")] = None
    changes: Sequence[Change] = ()
    error: ErrorReport | None = None


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did."""

    version: Annotated[int, Meta(description="The version of this form.")] = REPORT_VERSION
    tenant: Annotated[str, Meta(description="Host and tenant id, as the state names them.")]
    tenant_id: str
    tap_version: str
    sdk_version: Annotated[str, Meta(description="The version of singer-sdk.")]
    python_version: str
    began_at: Annotated[str, Meta(description="UTC, for example 2026-01-31T02:00:00Z.")]
    ended_at: str
    seconds: float
    waiting_seconds: Annotated[
        float, Meta(description="Seconds of the run in which nothing was sent, only waited for.")
    ]
    exit_code: Annotated[int, Meta(description="See the table of exit codes.")]
    reason: Annotated[
        str,
        Meta(
            description="done, unexpected, usage, person_needed, later, streams_failed, "
            "output_failed or terminated."
        ),
    ]
    error: Annotated[
        ErrorReport | None, Meta(description="What ended the run; None if nothing did.")
    ] = None
    rows: int = 0
    rescued: Annotated[int, Meta(description="Values that were rescued.")] = 0
    requests: Annotated[
        Mapping[str, int],
        Meta(
            description="Kind (list, headers, metadata, export, job, poll, download, items, "
            "drafts, actions) to the number of requests sent, retries included."
        ),
    ] = {}
    retries: int = 0
    throttles: int = 0
    bytes_received: int = 0
    streams: Sequence[StreamReport] = ()


def report_schema() -> dict[str, object]:
    """The JSON Schema of a run report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Run report of tap-orgvue",
        **msgspec.json.schema(RunReport),
    }
