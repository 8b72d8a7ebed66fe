"""The pages of an export: all at once, by next links, or in slices of `_id`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from singer_sdk.pagination import BaseAPIPaginator
from typing_extensions import override

from tap_orgvue.orgvue.errors import MalformedResponse, OrgvueError
from tap_orgvue.orgvue.models import ID

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_orgvue.orgvue.models import Filter

_DIGITS = "-0123456789ABCDEFabcdef"
"""The characters of ids in the order of their code points: slices leave no gap, whichever case
Orgvue uses and however it compares."""

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
            raise OrgvueError(
                "Even a single row of the dataset is too large for a synchronous response. Set "
                "`export_mode` to `async`, or select fewer columns."
            )
        return Slice(self.low, middle), Slice(middle, self.high)


class Link(msgspec.Struct, frozen=True):
    """The URL of a next page, on the API's own origin."""

    url: str


Page = Slice | Link | None
"""What to request next; None is everything at once."""


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

    @override
    def continue_if_empty(self, response: requests.Response) -> bool:
        """True: a page without rows says nothing about the next."""
        return True

    @override
    def get_next(self, response: requests.Response) -> Page:
        """The page after a response; None after the last."""
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
            return Link(url)
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
        top = (above[i] if i < len(above) else 0) if above is not None and same_so_far else base
        if top - bottom > 1:
            middle.append((bottom + top) // 2)
            break
        middle.append(bottom)
        if top != bottom:
            same_so_far = False
    return "".join(_DIGITS[digit] for digit in middle)


def _digits(bound: str) -> list[int]:
    return [_DIGITS.index(sign) for sign in bound if sign in _DIGITS]
