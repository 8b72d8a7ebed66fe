"""Small requests that show whether the inferred facts of the API hold on this tenant.

Each requests an export without rows. If rows come, only the start of the response is read.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tap_orgvue.checking.connection import ExportStart, read_export_start
from tap_orgvue.exports.headers import NO_ROWS
from tap_orgvue.exports.jobs import JobTicket, job_request
from tap_orgvue.orgvue.auth import read_token_dates
from tap_orgvue.orgvue.errors import (
    FileHostUnreachable,
    JobFailed,
    MalformedResponse,
    OrgvueError,
    Refusal,
    TenantRefusal,
)
from tap_orgvue.orgvue.models import (
    ID,
    MODIFIED_AT,
    Query,
    entries_of_page,
    link_url,
    next_link,
)
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.timestamps import format_bound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_orgvue.checking.assumptions import Evidence
    from tap_orgvue.checking.connection import JobOutcome
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.models import Property

_SECONDS = 15
"""The longest that one small response may take."""

_TRIES = 2

_NEVER = datetime(2999, 1, 1, tzinfo=timezone.utc)
"""No node was modified later."""

_DECLARED = {ColumnType.TEXT, ColumnType.NUMBER, ColumnType.DATE, ColumnType.BOOLEAN}
_CODE_LENGTHS = {5, 6}


def probe_exports(
    client: Client,
    evidence: Evidence,
    dataset_id: str,
    headers: Sequence[Property],
    with_modified_at: str | None,
) -> None:
    """Examine exports without rows.

    Args:
        client: The tenant.
        evidence: Receives the findings.
        dataset_id: A dataset that can be read.
        headers: Its export's columns.
        with_modified_at: A dataset whose export has `_modifiedAt`, if there is one.
    """
    start = _export_start(client, evidence, "post-export", dataset_id, NO_ROWS)
    if start is None:
        for name in ("empty-filter", "projection", "modified-at-filter"):
            evidence.unknown(name, "the POST of an export failed")
        return
    evidence.held("post-export")
    evidence.decide("empty-filter", held=start.is_empty, otherwise="rows came")
    if start.has_next_link is not None:
        evidence.decide(
            "no-next-links", held=not start.has_next_link, otherwise="an export has one"
        )
    keys = [header.key for header in headers]
    named = [ID] if ID in keys else keys[:1]
    if len(keys) > len(named):
        query = Query(filter=NO_ROWS.filter, projection=named)
        projected = _export_start(client, evidence, "projection", dataset_id, query)
        if projected is not None:
            more = {header.key for header in projected.headers} - set(named)
            evidence.decide("projection", held=not more, otherwise="other columns came")
    if with_modified_at is None:
        evidence.failed("modified-at-filter", "no export has the property")
        return
    query = Query(filter={MODIFIED_AT: {"$gte": format_bound(_NEVER)}}, projection=[MODIFIED_AT])
    filtered = _export_start(client, evidence, "modified-at-filter", with_modified_at, query)
    if filtered is not None:
        evidence.decide("modified-at-filter", held=filtered.is_empty, otherwise="rows came")


def _export_start(
    client: Client, evidence: Evidence, name: str, dataset_id: str, query: Query
) -> ExportStart | None:
    request = client.prepare("POST", client.export_url(dataset_id), json=query.body())
    purpose = Purpose(RequestKind.PROBE, dataset_id)

    def attempt() -> ExportStart:
        deadline = client.deadline(_SECONDS, f"{_SECONDS} seconds")
        with client.open(request, purpose, deadline=deadline) as response:
            return read_export_start(response)

    try:
        return client.retrying(attempt, purpose, tries=_TRIES)
    except OrgvueError as error:
        note_failure(evidence, name, error)
        return None


def note_failure(evidence: Evidence, name: str, error: OrgvueError) -> None:
    """Note that an assumption did not hold, or that an error prevented its check."""
    note = _note(error)
    is_final = isinstance(error, (MalformedResponse, Refusal)) and not error.retryable
    if isinstance(error, TenantRefusal) or not is_final:
        evidence.unknown(name, note)
    else:
        evidence.failed(name, note)


def _note(error: OrgvueError) -> str:
    """An error in words that name nothing of the tenant."""
    if isinstance(error, Refusal):
        codes = sorted(
            code
            for code in error.codes
            if code.isascii() and code.isdecimal() and len(code) in _CODE_LENGTHS
        )
        return ", ".join([f"HTTP {error.status}", *(f"code {code}" for code in codes)])
    if isinstance(error, MalformedResponse):
        return "the response has another form"
    if isinstance(error, FileHostUnreachable):
        return "its host cannot be reached from here"
    if isinstance(error, JobFailed):
        return "the job failed"
    return "no complete response in time"


def probe_list(client: Client, evidence: Evidence) -> None:
    """Examine the form of the list of datasets, and its links."""
    try:
        request = client.prepare("GET", f"{client.base_url}/datasets")
        page = client.json(request, Purpose(RequestKind.PROBE))
        linked = next_link(page) is not None
    except OrgvueError as error:
        for name in ("list-array", "no-next-links", "entry-links"):
            note_failure(evidence, name, error)
        return
    evidence.decide("list-array", held=isinstance(page, list), otherwise="it is an object")
    evidence.decide("no-next-links", held=not linked, otherwise="the list has one")
    _examine_entry_links(client, evidence, page)
    has_date = client.server_time() is not None
    evidence.decide("server-date", held=has_date, otherwise="there is none that can be read")


def probe_drafts(client: Client, evidence: Evidence) -> None:
    """Examine the form of the list of drafts; no change of a draft is requested."""
    try:
        request = client.prepare("GET", client.drafts_url)
        page = client.json(request, Purpose(RequestKind.PROBE))
        entries = entries_of_page(page, "drafts")
    except OrgvueError as error:
        for name in ("draft-list", "draft-base"):
            note_failure(evidence, name, error)
        return
    if not entries:
        evidence.decide("draft-list", held=isinstance(page, list), otherwise="it is an object")
        evidence.unknown("draft-base", "there is no draft")
        return
    for name, member in (("draft-list", "draftId"), ("draft-base", "datasetId")):
        without = sum(
            not (isinstance(each, dict) and isinstance(each.get(member), str)) for each in entries
        )
        evidence.decide(
            name,
            held=not without,
            note=f"in {len(entries)} of {len(entries)} entries",
            otherwise=f"no `{member}` in {without} of {len(entries)} entries",
        )
    if not isinstance(page, list):
        evidence.failed("draft-list", "it is an object")


def _examine_entry_links(client: Client, evidence: Evidence, page: Any) -> None:
    members = [page] if isinstance(page, list) else [*page.values()] if page else []
    [entries] = [each for each in members if isinstance(each, list)][:1] or [[]]
    named = [each for each in entries if isinstance(each, dict) and each.get("datasetId")]
    linked = [each for each in named if each.get("_links")]
    if not linked:
        evidence.failed("entry-links", "no entry has links")
        return
    other = sum(not _leads_there(client, each) for each in linked)
    note = f"in {len(linked)} of {len(named)} entries"
    evidence.decide(
        "entry-links",
        held=not other,
        note=note,
        otherwise=f"other addresses or none for metadata and export in {other} of {len(named)}",
    )


def _leads_there(client: Client, entry: Mapping[str, Any]) -> bool:
    links, url = entry["_links"], client.dataset_url(str(entry["datasetId"]))
    wanted = {"dataset:retrieve": url, "dataset:export": f"{url}/export"}
    try:
        return all(
            (client.same_origin(link_url(links, relation), url) or "").upper() == address.upper()
            for relation, address in wanted.items()
        )
    except MalformedResponse:
        return False


def examine_headers(evidence: Evidence, found: Iterable[Sequence[Property]]) -> None:
    """Examine the headers of the exports that were read."""
    exports = list(found)
    if not exports:
        return
    count, no_id = len(exports), sum(all(h.key != ID for h in headers) for headers in exports)
    evidence.decide(
        "id-column",
        held=not no_id,
        note=f"in {count} of {count} exports",
        otherwise=f"missing in {no_id} of {count} exports",
    )
    types = {header.type for headers in exports for header in headers}
    other = len(types - {each.value for each in _DECLARED})
    evidence.decide("declared-types", held=not other, otherwise=f"other types: {other}")


def examine_token(evidence: Evidence, token: str) -> None:
    """Examine the token's dates."""
    known = read_token_dates(token).expires is not None
    evidence.decide("token-dates", held=known, otherwise="its expiry is unknown")


def examine_job(evidence: Evidence, outcome: JobOutcome) -> None:
    """Examine the outcome of an export job."""
    names = ("job-ticket", "job-result", "job-encoding", "job-filter")
    if outcome.start is None:
        error = outcome.error or OrgvueError("It has no result.")
        for name in names:
            evidence.unknown(name, _note(error))
        if not outcome.has_ticket:
            note_failure(evidence, "job-ticket", error)
            return
        evidence.held("job-ticket")
        if not isinstance(error, FileHostUnreachable):
            evidence.failed("job-result", _note(error))
        return
    start = outcome.start
    evidence.held("job-ticket")
    evidence.held("job-result", start.encoding)
    is_gzip = start.encoding.startswith("gzip")
    evidence.decide("job-encoding", held=is_gzip, note=start.encoding, otherwise=start.encoding)
    evidence.decide("job-filter", held=start.is_empty, otherwise="rows came")


def probe_linking(
    client: Client, evidence: Evidence, dataset_id: str, linking: Sequence[str]
) -> None:
    """Request an export job without rows that calculates through links; do not wait for it."""
    query = Query(filter=NO_ROWS.filter, linking=tuple(linking))
    request = client.prepare("POST", client.export_url(dataset_id), json=query.body())
    try:
        purpose = Purpose(RequestKind.PROBE, dataset_id)
        JobTicket.from_json(client.json(job_request(client, request), purpose))
    except OrgvueError as error:
        note_failure(evidence, "job-linking", error)
    else:
        evidence.held("job-linking")


def probe_items(client: Client, evidence: Evidence, dataset_id: str) -> None:
    """Request the stored values of no node."""
    request = client.prepare("POST", client.items_url(dataset_id), json=NO_ROWS.body())
    purpose = Purpose(RequestKind.PROBE, dataset_id)

    def attempt() -> bytes:
        deadline = client.deadline(_SECONDS, f"{_SECONDS} seconds")
        with client.open(request, purpose, deadline=deadline) as response:
            return next(response.iter_content(4096), b"").lstrip()

    try:
        start = client.retrying(attempt, purpose, tries=_TRIES)
    except OrgvueError as error:
        note_failure(evidence, "items", error)
        return
    if not start.startswith(b"["):
        evidence.failed("items", "it is no array")
    else:
        is_empty = start[1:].lstrip().startswith(b"]")
        evidence.decide("items", held=is_empty, otherwise="the filter is ignored")
