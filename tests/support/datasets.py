"""The datasets that most tests are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import Self, override

from tap_orgvue.simulator import Dataset, Property

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator.dataset import Snapshot


def people(count: int = 5, name: str = "People") -> Dataset:
    """A dataset with a property of each declared type."""
    return Dataset(
        name,
        type="PEOPLE",
        properties=[
            Property("id", "text", name="Id", auto_id=True),
            Property("Full Name", "text"),
            Property("salary", "number"),
            Property("onLeave", "boolean"),
            Property("startDate", "date"),
        ],
        rows=[
            {
                "id": f"P{i}",
                "Full Name": f"Person {i}",
                "salary": 1000 + i,
                "onLeave": i % 2 == 0,
                "startDate": f"2022-01-{i % 28 + 1:02d}",
            }
            for i in range(count)
        ],
    )


def ids(records: list[dict[str, Any]]) -> list[str]:
    """The own keys of people, in the order of their records."""
    return [record["id"] for record in records]


class Watched(Dataset):
    """A dataset that something happens to, or is refused, when its rows are looked at.

    Attributes:
        happen: Called before each look.
    """

    @override
    def __post_init__(self) -> None:
        """Let nothing happen, unless a test sets something."""
        super().__post_init__()
        self.happen: Callable[[], None] = self.nothing

    @staticmethod
    def nothing() -> None:
        """What happens otherwise."""

    @classmethod
    def people(cls, count: int, name: str = "People") -> Self:
        """As `people` makes it."""
        plain = people(count, name)
        return cls(name, properties=plain.properties, rows=plain.rows)

    @override
    def snapshot(self) -> Snapshot:
        """Let it happen, then look."""
        self.happen()
        return super().snapshot()
