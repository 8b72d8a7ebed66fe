"""Downloaded exports as responses, as the SDK's REST stream meets them."""

from __future__ import annotations

import gzip
import io
import threading

import pytest

from tap_orgvue.exports.byte_streams import PIECE_BYTES, SMALL_PIECE_BYTES
from tap_orgvue.exports.download import DownloadedFile
from tap_orgvue.exports.response import ExportResponse
from tap_orgvue.orgvue.errors import ErrorsInResponse
from tap_orgvue.orgvue.models import ExportMode
from tests.support.mocked_exports import (
    EXPORT,
    JOB,
    RESULT,
    ROWS,
    MockedExports,
    document,
    ticket,
)

BODY = document()["content"]


def response(
    body: bytes | None, *, may_be_lossy: bool = False, reads_ahead: bool = True
) -> ExportResponse:
    """A response with a body, or none."""
    file = DownloadedFile(io.BytesIO(body), may_be_lossy=may_be_lossy) if body else None
    return ExportResponse(MockedExports().request(), file, reads_ahead=reads_ahead)


def test_a_file_is_a_response_with_rows() -> None:
    """A downloaded export has status 200, its request's URL, and its rows."""
    found = response(BODY)
    assert (found.status_code, found.reason, found.ok) == (200, "OK", True)
    assert (found.url, found.request.url, found.request.method) == (EXPORT, EXPORT, "GET")
    assert found.rows is not None
    assert [header.key for header in found.rows.headers] == ["_id", "x"]
    # The SDK logs a response's content: the file is not read for that.
    assert found.content == b""
    assert dict(found.headers) == {}
    assert found.history == []


def test_no_file_is_a_response_without_rows() -> None:
    """An export that is too large has status 413 and no rows."""
    found = response(None)
    assert (found.status_code, found.reason, found.rows) == (413, "Payload Too Large", None)
    assert found.may_be_lossy
    found.close()


@pytest.mark.parametrize("may_be_lossy", [True, False])
def test_the_scan_of_the_download_is_handed_on(*, may_be_lossy: bool) -> None:
    """A response knows whether typed decoding might alter a cell."""
    assert response(BODY, may_be_lossy=may_be_lossy).may_be_lossy is may_be_lossy


@pytest.mark.parametrize("reads_ahead", [True, False])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_body_is_decompressed_with_and_without_a_thread(
    pack: type, *, reads_ahead: bool
) -> None:
    """Both ways give the same bytes, in pieces of a bounded size."""
    plain = bytes(range(256)) * 4096
    found = response(pack(plain), reads_ahead=reads_ahead)
    pieces = list(found.chunks())
    assert b"".join(pieces) == plain
    assert max(map(len, pieces)) == (PIECE_BYTES if reads_ahead else SMALL_PIECE_BYTES)
    found.close()


@pytest.mark.parametrize("reads_ahead", [True, False])
def test_closing_frees_the_disk_and_ends_the_thread(*, reads_ahead: bool) -> None:
    """A response that is closed in the middle of its rows leaves no open file and no thread."""
    rows = [[str(i), "x" * 100] for i in range(50_000)]
    found = response(document(rows)["content"], reads_ahead=reads_ahead)
    chunks = found.chunks()
    for _ in range(3):
        next(chunks)
    running = [thread for thread in threading.enumerate() if thread.name == "orgvue-read"]
    assert len(running) == reads_ahead
    found.close()
    assert found.raw.closed
    assert not any(thread.is_alive() for thread in running)


@pytest.mark.parametrize("mode", [ExportMode.SYNC, ExportMode.ASYNC])
def test_errors_of_an_export_have_its_trace_id(mode: ExportMode) -> None:
    """The trace id is that of the response, or of the job's ticket."""
    exports = MockedExports(mode)
    partial = document(errors=["No room"])
    exports.serve("GET", EXPORT, {**partial, "headers": {"X-Amzn-Trace-Id": "Root=1-abc"}})
    exports.serve("POST", JOB, ticket("completed"))
    exports.serve("GET", RESULT, partial)
    with pytest.raises(ErrorsInResponse, match=r"\(No room\)\. Trace id: Root=1-abc"):
        exports.rows()


def test_rows_are_read_from_the_file() -> None:
    """The rows of a response are those of the file."""
    exports = MockedExports()
    exports.serve("GET", EXPORT, document())
    assert exports.rows() == ROWS
