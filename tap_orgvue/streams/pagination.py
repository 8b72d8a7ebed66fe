"""The pages of an export: all at once, by next links, or in slices of `_id`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.pagination import BaseAPIPaginator
from typing_extensions import override

from tap_orgvue.exports.jobs import body_of
from tap_orgvue.orgvue.errors import MalformedResponse, Misconfigured, OrgvueError
from tap_orgvue.orgvue.models import ID

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_orgvue.orgvue.models import Filter

_DIGITS = "-0123456789ABCDEFabcdef"
"""The characters of ids in the order of their code points: slices leave no gap, whichever case
Orgvue uses and however it compares."""

MAX_PAGES_WITHOUT_ROWS = 100
"""Next links that are followed in a row while their pages have no rows."""

_MAX_BOUND_LENGTH = 40
"""Characters of a slice's bound; ids have 36."""


class Slice(msgspec.Struct, frozen=True):
    """The nodes whose `_id` is at least `low` and less than `high`; None is no bound."""

    low: str | None = None
    high: str | None = None

    def filter(self) -> Filter:
        """The slice as a filter; empty for all nodes."""
        bounds = {"$gte": self.low, "$lt": self.high}
        bounds = {operator: bound for operator, bound in bounds.items() if bound is not None}
        return {ID: bounds} if bounds else {}

    def halves(self) -> tuple[Slice, Slice]:
        """Two slices that together hold exactly the same nodes.

        Raises:
            OrgvueError: The slice cannot be split further.
        """
        middle = _between(self.low or "", self.high)
        if len(middle) > _MAX_BOUND_LENGTH:
            raise Misconfigured(
                "Even a single row of the dataset is too large for a synchronous response. Set "
                "`export_mode` to `async`, or select fewer columns."
            )
        return Slice(self.low, middle), Slice(middle, self.high)


class Link(msgspec.Struct, frozen=True):
    """A next page: the request of the page before it, with another URL.

    Attributes:
        url: On the API's own origin.
        method: `GET` or `POST`.
        body: The JSON body of a POST; empty for a GET.
    """

    url: str
    method: str = "GET"
    body: bytes = b""

    @property
    def query(self) -> Any:
        """The body as JSON data; None without one."""
        return json.loads(self.body) if self.body else None


Page = Slice | Link | None
"""The next request; None is everything at once."""


class ExportPaginator(BaseAPIPaginator[Page]):
    """Pages through one export. The first page is everything at once, and mostly the only one."""

    def __init__(self, same_origin: Callable[[str | None, str], str | None]) -> None:
        """Start with everything.

        Args:
            same_origin: Makes a link absolute and checks its origin; takes the link and the
                address of the response that holds it.
        """
        super().__init__(None)
        self._same_origin = same_origin
        self._waiting: list[Slice] = []
        self._seen: set[str] = set()
        self._without_rows = 0

    @override
    def continue_if_empty(self, response: requests.Response) -> bool:
        """True: the page after one without rows may have some."""
        return True

    @override
    def get_next(self, response: requests.Response) -> Page:
        """The page after a response; None after the last.

        A next link repeats the method and the body of the request: without the query, the next page
        would have other rows and columns (inferred: no page of an export is documented).

        Raises:
            MalformedResponse: The links lead in a circle, to another origin, or to page after page
                without rows.
            OrgvueError: A page is too large and cannot be split.
        """
        rows = getattr(response, "rows", None)
        if rows is None:
            if isinstance(self.current_value, Link):
                raise OrgvueError(
                    "A page of an export is too large for one response and cannot be split."
                )
            low, high = (self.current_value or Slice()).halves()
            self._waiting.append(high)
            return low
        url = self._same_origin(rows.next_url, response.url)
        if url is not None:
            if url in self._seen:
                raise MalformedResponse("The next links of an export lead in a circle.")
            self._seen.add(url)
            self._without_rows = 0 if rows.count else self._without_rows + 1
            if self._without_rows > MAX_PAGES_WITHOUT_ROWS:
                raise MalformedResponse(
                    f"{MAX_PAGES_WITHOUT_ROWS} pages of an export in a row had no rows, and still "
                    "a next link: this export has no end."
                )
            request = response.request
            return Link(url, request.method or "GET", body_of(request))
        return self._waiting.pop() if self._waiting else None


def _between(low: str, high: str | None) -> str:
    """A bound about half-way between two bounds, read as fractions in base 23."""
    base = len(_DIGITS)
    above = _digits(high) if high is not None else None
    below = _digits(low)
    middle: list[int] = []
    same_so_far = True
    for i in range(_MAX_BOUND_LENGTH + 1):
        bottom = below[i] if i < len(below) else 0
        # Bounds end with a digit above 0: `high` differs from `low` before its own end.
        top = above[i] if above is not None and same_so_far else base
        if top - bottom > 1:
            middle.append((bottom + top) // 2)
            break
        middle.append(bottom)
        if top != bottom:
            same_so_far = False
    return "".join(_DIGITS[digit] for digit in middle)


def _digits(bound: str) -> list[int]:
    return [_DIGITS.index(sign) for sign in bound]
