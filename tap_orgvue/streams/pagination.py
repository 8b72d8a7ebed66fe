"""Which request follows which: an export at once, by its next links, or in slices of `_id`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from singer_sdk.pagination import BaseAPIPaginator
from typing_extensions import override

from tap_orgvue.orgvue.errors import BrokenAnswer, OrgvueError
from tap_orgvue.orgvue.models import ID

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_orgvue.orgvue.models import Filter


_DIGITS = "-0123456789ABCDEFabcdef"
"""What ids are made of, in the order of their code points: whichever case Orgvue uses and however
it compares, the slices of a dataset leave no gap."""

_FINEST_SLICE = 40
"""Digits of a boundary; ids have 36."""


class Slice(msgspec.Struct, frozen=True):
    """The nodes whose `_id` is at least `low` and less than `high`; None is no bound."""

    low: str | None = None
    high: str | None = None

    def filter(self) -> Filter:
        """The slice in Orgvue's filter language; empty for everything."""
        bounds = {"$gte": self.low, "$lt": self.high}
        bounds = {operator: bound for operator, bound in bounds.items() if bound is not None}
        return {ID: bounds} if bounds else {}

    def halves(self) -> tuple[Slice, Slice]:
        """Split it in two, which together hold exactly the same nodes.

        Raises:
            OrgvueError: It cannot be split any further.
        """
        middle = _between(self.low or "", self.high)
        if len(middle) > _FINEST_SLICE:
            message = (
                "Even a single row of the dataset is too large for a synchronous answer. Set "
                "`export_mode` to `async`, or select fewer columns."
            )
            raise OrgvueError(message)
        return Slice(self.low, middle), Slice(middle, self.high)


class Link(msgspec.Struct, frozen=True):
    """The address of a next page, on the API's own origin."""

    url: str


Page = Slice | Link | None


class ExportPages(BaseAPIPaginator[Page]):
    """Pages through one export.

    Begins with all of it at once, which mostly is all there is.
    """

    def __init__(self, same_origin: Callable[[str | None, str], str | None]) -> None:
        """Begin with everything.

        Args:
            same_origin: Lets through links to the API alone; given a link and where it stood.
        """
        super().__init__(None)
        self._same_origin = same_origin
        self._waiting: list[Slice] = []
        self._seen: set[str] = set()

    @override
    def continue_if_empty(self, response: requests.Response) -> bool:
        """A page without rows says nothing about the next."""
        return True

    @override
    def get_next(self, response: requests.Response) -> Page:
        """The page after the one that was answered; None after the last."""
        rows = getattr(response, "rows", None)
        if rows is None:
            if isinstance(self.current_value, Link):
                message = "A page of an export is too large for one answer and cannot be split."
                raise OrgvueError(message)
            low, high = (self.current_value or Slice()).halves()
            self._waiting.append(high)
            return low
        url = self._same_origin(rows.next_url, response.url)
        if url is not None:
            if url in self._seen:
                message = "An export's pages lead in a circle: one links to a page before it."
                raise BrokenAnswer(message)
            self._seen.add(url)
            return Link(url)
        return self._waiting.pop() if self._waiting else None


def _between(low: str, high: str | None) -> str:
    """A boundary about half-way between two, seen as fractions."""
    base = len(_DIGITS)
    above = _digits(high) if high is not None else None
    below = _digits(low)
    middle: list[int] = []
    carry_free = True
    for i in range(_FINEST_SLICE + 1):
        bottom = below[i] if i < len(below) else 0
        top = (above[i] if i < len(above) else 0) if above is not None and carry_free else base
        if top - bottom > 1:
            middle.append((bottom + top) // 2)
            break
        middle.append(bottom)
        if top != bottom:
            carry_free = False
    return "".join(_DIGITS[digit] for digit in middle)


def _digits(bound: str) -> list[int]:
    return [_DIGITS.index(sign) for sign in bound if sign in _DIGITS]
