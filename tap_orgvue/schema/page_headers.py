"""Compares the headers of an export's later pages and slices with those of its first.

The columns of a stream are resolved once, from the first page. Records are made by key, so that a
page with other names or another order is read exactly. Any other change means that the dataset was
changed while it was read: rows of two shapes are not one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.orgvue.errors import MalformedResponse

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tap_orgvue.orgvue.models import Property

_SHOWN = 10
"""Properties that a message names for each kind of change."""


class HeaderChanges(msgspec.Struct, frozen=True):
    """How the headers of a page differ from those of the first.

    Attributes:
        appeared: Keys that only the page has, in its order.
        gone: Keys that only the first page has, in its order.
        retyped: Key, type in the first page, type in the page.
        renamed: Key, display name in the first page, display name in the page.
        is_reordered: True if the keys of both pages stand in another order.
    """

    appeared: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    retyped: tuple[tuple[str, str, str], ...] = ()
    renamed: tuple[tuple[str, str, str], ...] = ()
    is_reordered: bool = False

    @property
    def is_exact(self) -> bool:
        """True if records of the page, which are made by key, have the first page's shape."""
        return not (self.appeared or self.gone or self.retyped)

    def __bool__(self) -> bool:
        """True if there is any change."""
        return not self.is_exact or bool(self.renamed) or self.is_reordered

    def describe(self) -> str:
        """The changes by kind, with the keys of the properties; empty without any."""
        kinds = {
            "appeared": [repr(key) for key in self.appeared],
            "gone": [repr(key) for key in self.gone],
            "retyped": [f"{key!r} ({old} → {new})" for key, old, new in self.retyped],
            "renamed": [f"{key!r} ({old!r} → {new!r})" for key, old, new in self.renamed],
        }
        parts = [f"{kind}: {_listed(items)}" for kind, items in kinds.items() if items]
        return "; ".join([*parts, *(["reordered"] if self.is_reordered else [])])


def compare_headers(first: Sequence[Property], page: Sequence[Property]) -> HeaderChanges:
    """Compare two pages of one export.

    Args:
        first: The first page's headers.
        page: A later page's headers.
    """
    before = {header.key: header for header in first}
    after = {header.key: header for header in page}
    both = [(before[key], after[key]) for key in before if key in after]
    return HeaderChanges(
        appeared=tuple(key for key in after if key not in before),
        gone=tuple(key for key in before if key not in after),
        retyped=tuple((a.key, a.type, b.type) for a, b in both if a.type != b.type),
        renamed=tuple((a.key, a.name, b.name) for a, b in both if a.name != b.name),
        is_reordered=[a.key for a, _ in both] != [key for key in after if key in before],
    )


def check_same_headers(
    first: Sequence[Property],
    page: Sequence[Property],
    *,
    unused: Collection[str] = (),
) -> HeaderChanges:
    """Check that a page of an export can be read as rows of the first page's shape.

    Args:
        first: The first page's headers.
        page: The page's headers.
        unused: Keys whose values no record has, whatever happens to them: excluded and deselected
            properties. A property that appeared is unused only if it is named here.

    Returns:
        The changes that can be read exactly, for the log; false if there are none.

    Raises:
        MalformedResponse: A used property appeared, is gone or changed its type.
    """
    changes = compare_headers(
        [header for header in first if header.key not in unused],
        [header for header in page if header.key not in unused],
    )
    if not changes.is_exact:
        raise MalformedResponse(
            "The columns of the export changed between its pages, because the dataset was changed "
            f"while it was read: {changes.describe()}. Run again."
        )
    return changes


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more
