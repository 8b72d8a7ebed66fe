"""The form of a check's report: the JSON document of `--test --format json`.

Its form is versioned: a member may be added in a version, none is renamed, removed or changed.
"""

# Annotations are evaluated: msgspec reads the types from them.

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

CHECK_VERSION = 1


class StageStatus(str, Enum):
    """How a stage ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"


class Access(str, Enum):
    """Whether a dataset can be read."""

    YES = "yes"
    NO = "no"
    NOT_CHECKED = "not_checked"


class Result(str, Enum):
    """The finding on an assumption."""

    HELD = "held"
    DID_NOT_HOLD = "did_not_hold"
    NOT_CHECKED = "not_checked"


class StageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of the check."""

    stage: Annotated[str, Meta(description="The stage's name.")]
    status: Annotated[StageStatus, Meta(description="How it ended.")]
    text: Annotated[str, Meta(description="The finding, or the error and its remedy.")] = ""


class StreamPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan for one stream."""

    stream: Annotated[str, Meta(description="The stream's name.")]
    dataset_id: Annotated[str | None, Meta(description="None for the tap's own streams.")] = None
    dataset_name: Annotated[
        str | None, Meta(description="As Orgvue lists it; None if it lists no such dataset.")
    ] = None
    selected: Annotated[bool, Meta(description="False if the catalog deselects it.")] = True
    readable: Annotated[
        Access, Meta(description="Whether its dataset can be read, and the stream be sent.")
    ] = Access.NOT_CHECKED
    fails: Annotated[
        bool,
        Meta(description="True if the run fails for it; a dataset that is skipped fails no run."),
    ] = False
    reason: Annotated[
        str | None,
        Meta(description="Why it cannot be read or sent; None if it can, or was not checked."),
    ] = None
    unchanged: Annotated[
        bool, Meta(description="True if `skip_unchanged` would leave its export out.")
    ] = False
    replication_method: Annotated[
        str | None, Meta(description="FULL_TABLE or INCREMENTAL; None for the tap's own streams.")
    ] = None
    source: Annotated[
        str, Meta(description="export, items (the stored values), metadata or drafts.")
    ] = "export"
    deliveries: Annotated[
        Sequence[str],
        Meta(
            description="synchronous, job, slices: in the order in which they would be tried; "
            "empty if nothing would be requested."
        ),
    ] = ()
    columns: Annotated[
        Sequence[str], Meta(description="The columns that would be sent, without _rescued_data.")
    ] = ()
    excluded: Annotated[
        Sequence[str],
        Meta(
            description="Columns of properties that `exclude_properties` keeps in Orgvue; a "
            "property that the catalog lacks by its key."
        ),
    ] = ()
    hashed: Annotated[
        Sequence[str], Meta(description="The sent columns whose values are hashed.")
    ] = ()
    deselected: Annotated[
        Sequence[str], Meta(description="Columns that the catalog deselects.")
    ] = ()


class DraftPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan for one draft that the setting `drafts` matches."""

    draft_id: Annotated[str, Meta(description="Orgvue's id.")]
    name: Annotated[str, Meta(description="Empty if Orgvue lists none.")] = ""
    dataset_id: Annotated[
        str | None, Meta(description="The dataset it is based on; None if Orgvue names none.")
    ] = None
    layers: Annotated[Sequence[str], Meta(description="The keys of its layers.")] = ()
    sent: Annotated[bool, Meta(description="True if the run would send it.")] = True
    reason: Annotated[str | None, Meta(description="Why it would not be sent, as a clause.")] = None


class DraftsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan for drafts; no change of a draft was requested for it."""

    listed: Annotated[int, Meta(ge=0, description="Drafts that the tenant lists.")] = 0
    matched: Annotated[
        Sequence[DraftPlan],
        Meta(
            description="The drafts that `drafts` matches: first those that would be sent, then "
            "those that would not."
        ),
    ] = ()


class AssumptionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One inferred fact of the API: no name, id, host or value of the tenant is in it."""

    name: Annotated[str, Meta(description="As in docs/api-assumptions.md.")]
    fact: Annotated[str, Meta(description="What the tap assumes.")]
    result: Annotated[Result, Meta(description="The finding.")]
    note: Annotated[str, Meta(description="Details of the finding, or why there is none.")] = ""
    otherwise: Annotated[str, Meta(description="What the tap does where it does not hold.")] = ""


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a check."""

    version: Annotated[int, Meta(description="The version of this form.")] = CHECK_VERSION
    tap_version: Annotated[str, Meta(description="The version of the tap.")]
    tenant_id: Annotated[str | None, Meta(description="None if the settings are wrong.")] = None
    stages: Annotated[
        Sequence[StageReport], Meta(description="The stages, in the order in which they ended.")
    ] = ()
    streams: Annotated[
        Sequence[StreamPlan], Meta(description="The plan: what a run would do with each stream.")
    ] = ()
    drafts: Annotated[
        DraftsPlan | None,
        Meta(description="None if no draft would be requested, or their list was not read."),
    ] = None
    errors: Annotated[
        Sequence[str],
        Meta(
            description="Errors that would end or fail the run, without those of failed stages; "
            "and each mistake of the stage settings."
        ),
    ] = ()
    warnings: Annotated[Sequence[str], Meta(description="The warnings of the run.")] = ()
    not_checked: Annotated[
        Sequence[str], Meta(description="Steps that the check had no time for, or never takes.")
    ] = ()
    assumptions: Annotated[
        Sequence[AssumptionReport], Meta(description="All inferred facts of the API.")
    ] = ()
    exit_code: Annotated[int, Meta(description="The exit code of the check.")] = 0


def check_schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Check of tap-orgvue",
        **msgspec.json.schema(CheckReport),
    }
