"""The inferred facts of Orgvue's API that the tap relies on, and the findings of a check on each.

Orgvue's public API guide leaves them open. No finding names anything of the tenant.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.checking.report import AssumptionReport, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

NOT_REACHED = "there was no time, or an earlier step failed"


class Assumption(msgspec.Struct, frozen=True):
    """An inferred fact.

    Attributes:
        name: A short name, for programs and people.
        fact: What the tap assumes.
        used: The features that rely on it.
        otherwise: The tap's behaviour where it does not hold.
        unchecked: Why a check may not examine it; empty if it always does.
    """

    name: str
    fact: str
    used: str
    otherwise: str
    unchecked: str = ""


ASSUMPTIONS = (
    Assumption(
        "post-export",
        "A POST to an export takes a query; its response is like the GET's.",
        "columns of a dataset; filters, selected columns, incremental replication, slices",
        "Columns are read from the start of a GET, and queries go through export jobs. "
        "`export_mode: paged` does not work.",
    ),
    Assumption(
        "empty-filter",
        "An export whose filter matches no node has headers and no rows.",
        "columns of a dataset",
        "Only the start of such a response is read. `filters` may have no effect: compare the "
        "rows.",
    ),
    Assumption(
        "projection",
        "An export with a projection has no other columns than those it names.",
        "deselected columns, `exclude_properties`",
        "The other columns reach this machine; they are dropped there and not sent.",
    ),
    Assumption(
        "modified-at-filter",
        "Exports have the property `_modifiedAt`, and can be filtered by it.",
        "incremental replication",
        "Incremental streams fail or read all rows: replicate the full table.",
    ),
    Assumption(
        "id-column",
        "Exports have the property `_id`.",
        "keys of records, slices",
        "The dataset's own key (`autoId`) is the key, or there is none; such a dataset cannot be "
        "read in slices.",
    ),
    Assumption(
        "declared-types",
        "Properties are declared as text, number, date or boolean.",
        "types of columns",
        "A property of another type is a text column.",
    ),
    Assumption(
        "job-ticket",
        "The response to an export job is a job ticket with a status and a link to itself, later "
        "to the result.",
        "large exports, `export_mode: async`, `linking_relationships`",
        "Large datasets are fetched in slices if Orgvue accepts no jobs, else their streams fail.",
    ),
    Assumption(
        "job-result",
        "A job's result can be read by its link, without a token.",
        "large exports, `export_mode: async`, `linking_relationships`",
        "Large datasets are fetched in slices if the host cannot be reached, else their streams "
        "fail.",
    ),
    Assumption(
        "job-encoding",
        "A result that was requested as gzip is a gzip file.",
        "large exports",
        "A result is read as it comes; one that is not compressed takes longer.",
    ),
    Assumption(
        "job-filter",
        "An export job applies the same filter as a POST.",
        "`filters` and incremental replication of large exports",
        "Rows are sent that the filter does not match.",
    ),
    Assumption(
        "job-linking",
        "An export job takes `linkingRelationships` as a list of ids.",
        "`linking_relationships`",
        "Streams with that setting fail.",
        "`linking_relationships` is not set",
    ),
    Assumption(
        "items",
        "Stored values come as an array of objects, also by a POST with a filter.",
        "`include_calculations: false`",
        "Streams fail: set `include_calculations` to true.",
        "`include_calculations` is true",
    ),
    Assumption(
        "list-array",
        "The list of datasets is one array.",
        "every run without a catalog",
        "An object with one array in it is read as well.",
    ),
    Assumption(
        "no-next-links",
        "Lists and exports come whole, without a link to a next page.",
        "every run",
        "Next links on the same server are followed.",
    ),
    Assumption(
        "entry-links",
        "The `_links` of a listed dataset lead where the tap goes without them.",
        "metadata, exports",
        "The documented addresses are used all the same.",
    ),
    Assumption(
        "draft-list",
        "GET /drafts lists the tenant's drafts: one array of objects with `draftId`.",
        "`drafts`",
        "Other forms of the list are read as docs/as-is-and-to-be.md says. Else the two streams of "
        "drafts fail; all others are sent.",
        "`drafts` is not set",
    ),
    Assumption(
        "draft-base",
        "Each draft of the list names its dataset in `datasetId`.",
        "protection of the values in drafts",
        "For a draft without it, only values are sent that may be sent for every dataset.",
        "`drafts` is not set",
    ),
    Assumption(
        "draft-actions",
        "The response to a request for a draft's changes is a job ticket, as for an export.",
        "`drafts`",
        "The changes themselves and a link to them are accepted as well; any other response fails "
        "the stream of changes.",
        "it would take a draft's changes",
    ),
    Assumption(
        "server-date",
        "Responses have the time in `Date`.",
        "bookmarks of incremental streams",
        "This machine's clock is used.",
    ),
    Assumption(
        "token-dates",
        "The token is a JWT with its expiry in `exp`.",
        "the warning before a token expires",
        "There is no warning before the token expires.",
    ),
    Assumption(
        "too-large-status",
        "An export that is too large for one response is refused with 413, 502 or 504, or times "
        "out.",
        "`export_mode: auto`",
        "The stream fails: set `export_mode` to `async`.",
        "it would take a large export",
    ),
    Assumption(
        "wrong-tenant-status",
        "The list of another tenant is refused with 400, 403 or 404.",
        "the advice of the error",
        "The error shows Orgvue's own words.",
        "it would take another tenant",
    ),
)
"""In the order of the report. docs/api-assumptions.md has the same table, by a test."""


class Evidence:
    """The findings of a check on the assumptions. Thread safe.

    Notes consist of fixed words, numbers and Orgvue's codes: they name nothing of the tenant.
    """

    def __init__(self) -> None:
        """Start without findings."""
        self._seen: dict[str, tuple[Result, str]] = {}
        self._lock = threading.Lock()

    def held(self, name: str, note: str = "") -> None:
        """Note that an assumption held; a later `failed` overrides it."""
        self._keep(name, Result.HELD, note)

    def failed(self, name: str, note: str) -> None:
        """Note that an assumption did not hold; nothing overrides it."""
        self._keep(name, Result.DID_NOT_HOLD, note)

    def unknown(self, name: str, note: str) -> None:
        """Note that an assumption could not be checked; any other finding overrides it."""
        self._keep(name, Result.NOT_CHECKED, note)

    def decide(self, name: str, *, held: bool, note: str = "", otherwise: str = "") -> None:
        """Note whether an assumption held.

        Args:
            name: The assumption's name.
            held: True if it held.
            note: The note if it held.
            otherwise: The note if it did not.
        """
        if held:
            self.held(name, note)
        else:
            self.failed(name, otherwise)

    def _keep(self, name: str, result: Result, note: str) -> None:
        rank = [Result.NOT_CHECKED, Result.HELD, Result.DID_NOT_HOLD]
        with self._lock:
            before = self._seen.get(name)
            if before is None or rank.index(result) > rank.index(before[0]):
                self._seen[name] = result, note

    def report(self) -> Sequence[AssumptionReport]:
        """Every assumption with its finding so far."""
        with self._lock:
            seen = dict(self._seen)
        reports = []
        for each in ASSUMPTIONS:
            default = Result.NOT_CHECKED, each.unchecked or NOT_REACHED
            result, note = seen.get(each.name, default)
            otherwise = each.otherwise if result is Result.DID_NOT_HOLD else ""
            reports.append(
                AssumptionReport(
                    name=each.name, fact=each.fact, result=result, note=note, otherwise=otherwise
                )
            )
        return reports
