"""The messages of HTTP: a request as received, and the response to be sent."""

from __future__ import annotations

import gzip
import json
import uuid
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JSON = "application/json; charset=UTF-8"

#: The routes of the API and of the file store. `unknown` is every other path.
ROUTES = (
    *("list", "metadata", "export", "job", "items", "drafts", "draft_actions"),
    *("ticket", "result", "unknown"),
)
#: What requests are counted by: the routes, but an export that asks for no row is `headers`, and
#: the file store's routes are `poll` and `download`.
KINDS = (
    *("list", "metadata", "headers", "export", "job", "poll", "download", "items"),
    *("drafts", "draft_actions", "unknown"),
)
#: Narrower names that trouble can be ordered for besides: a later page, a range of `_id`.
PARTS = ("page", "slice")

_KIND_OF_ROUTE = {"ticket": "poll", "result": "download"}
_NO_NODE = str(uuid.UUID(int=0))
_GZIP_FILE = 31  # for zlib: the largest window, with the head and tail of a gzip file
_RANGES = {"$gt", "$gte", "$lt", "$lte"}


class Target(NamedTuple):
    """What a request is for; see `Request`."""

    route: str
    dataset_id: str | None = None
    draft_ids: tuple[str, ...] = ()


@dataclass
class Request:
    """One request, as the simulator remembers it.

    Attributes:
        origin: `api` or `files`.
        route: One of `ROUTES`.
        method: The HTTP method.
        path: The path as received, without its query string.
        query: The query parameters, each with all its values.
        headers: Names and values as received, in their order and spelling.
        body: The parsed JSON body; `None` without one, or where it is not JSON.
        raw: The body as received.
        dataset_id: The dataset that the path or the job names, as written there.
        draft_ids: The drafts that the body or the job names, as written there.
        status: The status of the response; `None` before it, and after a hang-up before it.
        started: When the headers had been read, in seconds of `time.monotonic`.
        ended: Just before the last bytes of the response left, likewise; `None` until then.
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
    draft_ids: tuple[str, ...] = ()
    status: int | None = None
    started: float = 0.0
    ended: float | None = None

    def header(self, name: str) -> str | None:
        """Give the value of the header spelled exactly so, or `None`."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def kind(self) -> str:
        """The request's kind, one of `KINDS`."""
        nodes = self._nodes
        if self.route == "export" and nodes in (_NO_NODE, {"$in": []}):
            return "headers"
        return _KIND_OF_ROUTE.get(self.route, self.route)

    @property
    def names(self) -> set[str]:
        """What trouble may call the request: its route, its kind, and those of `PARTS` it is."""
        found = {self.route, self.kind}
        if "cursor" in self.query or "offset" in self.query:
            found.add("page")
        nodes = self._nodes
        if isinstance(nodes, dict) and _RANGES & nodes.keys():
            found.add("slice")
        return found

    @property
    def _nodes(self) -> object:
        """The filter's condition on `_id`; `None` without one."""
        found = self.body
        for name in ("query", "output", "filter", "_id"):
            found = found.get(name) if isinstance(found, dict) else None
        return found


@dataclass(frozen=True)
class Content:
    """The bytes of a body, compressed at most once however often they are asked for."""

    plain: bytes

    def __len__(self) -> int:
        """Count the bytes."""
        return len(self.plain)

    def pieces(self, size: int) -> Iterator[bytes]:
        """Give the bytes in pieces of at most this size."""
        return (self.plain[start : start + size] for start in range(0, len(self.plain), size))

    @cached_property
    def packed(self) -> Content:
        """The same as a gzip file."""
        return Content(gzip.compress(self.plain, compresslevel=1, mtime=0))


@dataclass(frozen=True)
class Streamed:
    """A body that is made anew whenever it is needed, so that its size takes no memory."""

    make: Callable[[], Iterator[bytes]]

    @cached_property
    def _length(self) -> int:
        return sum(map(len, self.make()))

    def __len__(self) -> int:
        """Count the bytes, which makes the body once."""
        return self._length

    def pieces(self, size: int) -> Iterator[bytes]:
        """Give the bytes in pieces of at most this size."""
        for made in self.make():
            yield from Content(made).pieces(size)

    @cached_property
    def packed(self) -> Streamed:
        """The same as a gzip file."""
        return Streamed(self._packed)

    def _packed(self) -> Iterator[bytes]:
        packer = zlib.compressobj(1, wbits=_GZIP_FILE)
        yield from filter(None, map(packer.compress, self.make()))
        yield packer.flush()


Body = Content | Streamed


@dataclass
class Response:
    """What will be sent.

    Attributes:
        status: The HTTP status.
        content: The body.
        headers: Headers besides `Content-Length`, `Date` and the trace id.
        compressible: Whether the body may be sent with `Content-Encoding: gzip` on request.
    """

    status: int
    content: Body
    headers: dict[str, str] = field(default_factory=dict)
    compressible: bool = True

    @classmethod
    def of_json(cls, value: object, status: int = 200) -> Response:
        """Respond with a JSON document."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return cls(status, Content(text.encode()), {"Content-Type": JSON})

    @classmethod
    def of_text(cls, status: int, text: str, content_type: str = "text/html") -> Response:
        """Respond with a page or an XML document; an empty text is an empty body."""
        headers = {"Content-Type": content_type} if text else {}
        return cls(status, Content(text.encode()), headers)

    @classmethod
    def of_status(cls, status: int) -> Response:
        """Respond as a gateway in front of Orgvue does: no JSON, at best a page."""
        gateways_own = {502: "Bad Gateway", 504: "Gateway Time-out"}
        title = gateways_own.get(status)
        page = f"<html><head><title>{status} {title}</title></head><body></body></html>"
        return cls.of_text(status, page if title else "")

    def encoded(self, accepted: str | None) -> tuple[dict[str, str], Body]:
        """Choose the encoding.

        Args:
            accepted: The request's `Accept-Encoding`.

        Returns:
            The headers, with `Content-Encoding` where it applies, and the body.
        """
        names = {part.split(";")[0].strip() for part in (accepted or "").split(",")}
        if self.compressible and "gzip" in names and len(self.content):
            return {**self.headers, "Content-Encoding": "gzip"}, self.content.packed
        return dict(self.headers), self.content


def parsed(raw: bytes) -> object:
    """Parse a JSON body; what is empty or not JSON is `None`."""
    try:
        value: object = json.loads(raw)
    except ValueError:
        return None
    return value
