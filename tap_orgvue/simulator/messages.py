"""What travels: a request as it was received, and the answer that will be sent."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from functools import cached_property

JSON = "application/json; charset=UTF-8"


@dataclass
class Request:
    """One request, as the simulator remembers it.

    Attributes:
        origin: `api` or `files`.
        route: `list`, `metadata`, `export`, `job`, `items`; on the file store `ticket`, `result`;
            `unknown` for every other path.
        method: The HTTP method.
        path: The path as received, without its query string.
        query: The query parameters, each with all its values.
        headers: Names and values as received, in their order and spelling.
        body: The parsed JSON body; `None` without one, or where it is not JSON.
        raw: The body as received.
        dataset_id: The dataset the path or the job speaks of, as written there.
        status: The status answered; `None` until then, and after a hang-up before it.
        started: When the headers had been read, in seconds of `time.monotonic`.
        ended: Just before the last bytes of the answer left, likewise; `None` until then.
    """

    origin: str
    route: str
    method: str
    path: str
    query: dict[str, list[str]]
    headers: list[tuple[str, str]]
    body: object = None
    raw: bytes = field(default=b"", repr=False)
    dataset_id: str | None = None
    status: int | None = None
    started: float = 0.0
    ended: float | None = None

    def header(self, name: str) -> str | None:
        """Give the value of the header spelled exactly so, or `None`."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True)
class Content:
    """The bytes of a body, compressed at most once however often they are asked for."""

    plain: bytes

    @cached_property
    def gzipped(self) -> bytes:
        """The same as a gzip file."""
        return gzip.compress(self.plain, compresslevel=1, mtime=0)


@dataclass
class Answer:
    """What will be sent.

    Attributes:
        status: The HTTP status.
        content: The body.
        headers: Headers besides `Content-Length`, `Date` and the trace id.
        compressible: Whether the body may be sent with `Content-Encoding: gzip` on request.
    """

    status: int
    content: Content
    headers: dict[str, str] = field(default_factory=dict)
    compressible: bool = True

    @classmethod
    def of_json(cls, value: object, status: int = 200) -> Answer:
        """Answer with a JSON document."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return cls(status, Content(text.encode()), {"Content-Type": JSON})

    @classmethod
    def of_text(cls, status: int, text: str, content_type: str = "text/html") -> Answer:
        """Answer with a page or an XML document; an empty text is an empty body."""
        headers = {"Content-Type": content_type} if text else {}
        return cls(status, Content(text.encode()), headers)

    @classmethod
    def of_status(cls, status: int) -> Answer:
        """Answer the way a gateway in front of Orgvue does: no JSON, at best a page."""
        gateways_own = {502: "Bad Gateway", 504: "Gateway Time-out"}
        title = gateways_own.get(status)
        page = f"<html><head><title>{status} {title}</title></head><body></body></html>"
        return cls.of_text(status, page if title else "")

    def encoded(self, accepted: str | None) -> tuple[dict[str, str], bytes]:
        """Choose the encoding.

        Args:
            accepted: The request's `Accept-Encoding`.

        Returns:
            The headers, with `Content-Encoding` where it applies, and the body's bytes.
        """
        names = {part.split(";")[0].strip() for part in (accepted or "").split(",")}
        if self.compressible and self.content.plain and "gzip" in names:
            return {**self.headers, "Content-Encoding": "gzip"}, self.content.gzipped
        return dict(self.headers), self.content.plain


def parsed(raw: bytes) -> object:
    """Parse a JSON body; what is empty or not JSON is `None`."""
    try:
        value: object = json.loads(raw)
    except ValueError:
        return None
    return value
