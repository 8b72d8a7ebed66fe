"""As much of an S3-style object store as a client needs to write files, for tests of BATCH."""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

_XML = '<?xml version="1.0" encoding="UTF-8"?>'


class ObjectStore(ThreadingHTTPServer):
    """A store of objects on the loopback address.

    Attributes:
        objects: Path, with its bucket, to bytes.
        uploads: How many uploads in parts were completed and how many aborted.
    """

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), _Answers)
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, int] = defaultdict(int)
        self.parts: dict[str, dict[int, bytes]] = defaultdict(dict)

    @property
    def url(self) -> str:
        """The address of the store."""
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ObjectStore

    def do_HEAD(self) -> None:
        """Every bucket is there."""
        self._answer()

    def do_GET(self) -> None:
        """A bucket's list, which is empty."""
        self._answer(f"{_XML}<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>")

    def do_PUT(self) -> None:
        """Take an object, or a part of one."""
        path, query = self._asked()
        body = self._body()
        if "uploadId" in query:
            self.server.parts[query["uploadId"][0]][int(query["partNumber"][0])] = body
        else:
            self.server.objects[path] = body
        self._answer(ETag='"0"')

    def do_POST(self) -> None:
        """Begin an upload in parts, or complete one."""
        path, query = self._asked()
        self._body()
        if "uploads" in query:
            told = f"<UploadId>{path.replace('/', '-')}</UploadId>"
            self._answer(
                f"{_XML}<InitiateMultipartUploadResult>{told}</InitiateMultipartUploadResult>"
            )
            return
        parts = self.server.parts.pop(query["uploadId"][0])
        self.server.objects[path] = b"".join(parts[number] for number in sorted(parts))
        self.server.uploads["completed"] += 1
        self._answer(
            f"{_XML}<CompleteMultipartUploadResult><ETag>0</ETag></CompleteMultipartUploadResult>"
        )

    def do_DELETE(self) -> None:
        """Abort an upload in parts."""
        _, query = self._asked()
        self.server.parts.pop(query["uploadId"][0])
        self.server.uploads["aborted"] += 1
        self._answer()

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return unquote(parts.path), parse_qs(parts.query, keep_blank_values=True)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            framed = "aws-chunked" in self.headers.get("Content-Encoding", "")
            return _unframed(body) if framed else body
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return _unframed(b"".join(pieces))

    def _answer(self, body: str = "", **headers: str) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _unframed(body: bytes) -> bytes:
    """The content of chunks that are framed within the body, each with its length before it."""
    pieces: list[bytes] = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].split(b";")[0], 16)
        if not size:
            return b"".join(pieces)
        pieces.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A store that serves until the block ends."""
    with ObjectStore() as store:
        thread = threading.Thread(target=store.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield store
        finally:
            store.shutdown()
            thread.join()
