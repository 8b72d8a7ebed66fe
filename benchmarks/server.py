"""Serves the benchmarks' tenants over HTTP, from a process of its own.

`python -m benchmarks.server FOLDER TENANT…` writes each tenant's body into the folder and prints
its address when it is ready. It ends when its standard input is closed.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from benchmarks.data import COLUMNS, HEADERS, TENANTS, write_body

if TYPE_CHECKING:
    from benchmarks.data import Tenant

_PREFIX = "/api/v1/"
_CHUNK_BYTES = 256 * 1024
_GZIP_WBITS = 31


class Server(ThreadingHTTPServer):
    """The tenants, and the folder of their bodies."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        """Listen on a free port of this machine alone."""
        super().__init__(("127.0.0.1", 0), Answers)
        self.folder = folder


class Answers(BaseHTTPRequestHandler):
    """List, metadata, the headers alone, and whole exports."""

    protocol_version = "HTTP/1.1"
    # With Nagle's algorithm and keep-alive every small answer takes 40 ms.
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answer with a list, with metadata, or with a whole export."""
        tenant, dataset_id, rest = self._asked_for()
        if dataset_id is None:
            self._send_json([_listed(tenant, i) for i in range(tenant.datasets)])
        elif not rest:
            self._send_json(_metadata(tenant, dataset_id))
        else:
            time.sleep(tenant.seconds)
            self._send_body(tenant.body(self.server.folder))

    def do_POST(self) -> None:
        """Answer every query with headers and no rows: the benchmarks ask for no others."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        tenant, _, _ = self._asked_for()
        time.sleep(tenant.seconds)
        self._send_json({"headers": HEADERS, "rows": []})

    def _asked_for(self) -> tuple[Tenant, str | None, list[str]]:
        """Tenant, dataset id and what follows them in the path."""
        tenant, _, *rest = self.path.partition("?")[0].removeprefix(_PREFIX).split("/")
        return TENANTS[tenant], rest[0] if rest else None, rest[1:]

    def _send_json(self, answer: Any) -> None:
        body = json.dumps(answer).encode()
        self._send_head({"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _send_body(self, path: Path) -> None:
        """Send a file as it is to those who accept gzip, else decompressed on the fly."""
        with path.open("rb") as file:
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                length = str(path.stat().st_size)
                self._send_head({"Content-Encoding": "gzip", "Content-Length": length})
                shutil.copyfileobj(file, self.wfile, _CHUNK_BYTES)
                return
            self._send_head({"Connection": "close"})
            self.close_connection = True
            unzip = zlib.decompressobj(_GZIP_WBITS)
            while chunk := file.read(_CHUNK_BYTES):
                self.wfile.write(unzip.decompress(chunk))

    def _send_head(self, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a line for each request would be measured too."""


def _listed(tenant: Tenant, number: int) -> dict[str, Any]:
    return {
        "isPermissionedView": False,
        "datasetId": tenant.dataset_ids[number],
        "name": tenant.dataset_name(number),
        "type": "PEOPLE",
    }


def _metadata(tenant: Tenant, dataset_id: str) -> dict[str, Any]:
    number = tenant.dataset_ids.index(dataset_id.upper())
    return {
        "datasetId": dataset_id,
        "name": tenant.dataset_name(number),
        "type": "PEOPLE",
        "autoId": "_id",
        "labelId": "text00",
        "tags": [],
        "properties": [
            {"key": key, "name": key, "type": declared, "isRequired": False}
            for key, declared in COLUMNS
        ],
        "cacheKey": "1",
    }


def main(folder: str, *names: str) -> None:
    """Serve tenants until standard input is closed."""
    for name in names:
        write_body(TENANTS[name], Path(folder))
    server = Server(Path(folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address[:2]
    print(f"http://{host!s}:{port}", flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
