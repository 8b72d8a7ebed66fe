"""The name of a LINKS dataset tells which datasets it joins, or nothing is drawn."""

from __future__ import annotations

import pytest

from tap_orgvue.orgvue.models import Dataset
from tap_orgvue.pages.links import LINKS, link_ends


def ends(link: str, *names: str, types: dict[str, str] | None = None) -> tuple[str, str] | None:
    """The names of both ends, among datasets of these names."""
    datasets = [Dataset(str(i), name, (types or {}).get(name, "")) for i, name in enumerate(names)]
    joined = Dataset("L", link, LINKS)
    found = link_ends(joined, [*datasets, joined])
    return (found[0].name, found[1].name) if found else None


@pytest.mark.parametrize(
    "link",
    [
        "People to Positions",
        "people TO positions",
        "Person to Position",
        "People → Positions",
        "People -> Position",
        "people_to_positions",
        "People Positions",
        "People/Positions",
        "People & Positions (2026)",
        "All People to Positions (2026)",
        "PeoplePositions",
        "Links: People – Positions",  # noqa: RUF001 - a dash that names do hold
        "People Dataset to Positions Dataset",
    ],
)
def test_names_that_tell_both_ends(link: str) -> None:
    """Separators, case, plural and words that say nothing make no difference."""
    assert ends(link, "People", "Positions", "Roles") == ("People", "Positions")


@pytest.mark.parametrize(
    "link",
    [
        "",
        "Allocation",
        "People",
        "People to",
        "to Positions",
        "People to People",
        "People Roles X Y",
    ],
)
def test_names_that_do_not(link: str) -> None:
    """One end, no end, or the same one twice is no line."""
    assert ends(link, "People", "Positions") is None


def test_generic_words_make_no_difference() -> None:
    """In names of datasets neither, unless such a word is the whole name."""
    names = ("People Data", "The Positions Dataset")
    assert ends("People to Positions", *names) == names
    assert ends("Relations People Positions", *names) == names
    assert ends("Data to Positions", "Data", "Positions") == ("Data", "Positions")
    assert ends("Data to Positions", "Relations", "Positions") is None


def test_the_order_is_that_of_the_name() -> None:
    """The first name is where the line begins."""
    assert ends("Positions to People", "People", "Positions") == ("Positions", "People")


def test_a_name_that_two_datasets_have_is_no_end() -> None:
    """Which of both is meant cannot be known."""
    for link in ("People to Positions", "People Positions"):
        assert ends(link, "People", "people", "Positions") is None


def test_the_longer_name_is_meant() -> None:
    """`Positions 2026` is not `Positions`."""
    names = ("People", "Positions", "Positions 2026")
    assert ends("People to Positions 2026", *names) == ("People", "Positions 2026")
    assert ends("People Positions 2026", *names) == ("People", "Positions 2026")
    assert ends("People to Positions", *names) == ("People", "Positions")


def test_a_type_stands_for_its_only_dataset() -> None:
    """`People to Positions` joins the one dataset of each type, however they are named."""
    types = {"WFP Staff": "PEOPLE", "WFP Seats": "POSITIONS"}
    assert ends("People to Positions", *types, types=types) == ("WFP Staff", "WFP Seats")
    both = types | {"Contractors": "PEOPLE"}
    assert ends("People to Positions", *both, types=both) is None


@pytest.mark.parametrize("link", ["People Positions Roles", "People Roles to Positions"])
def test_three_datasets_in_a_name_are_no_line(link: str) -> None:
    """A line has two ends."""
    assert ends(link, "People", "Positions", "Roles") is None


def test_a_dataset_without_a_name_is_no_end() -> None:
    """Nor does it keep those of the others from being found."""
    assert ends("People Positions", "", "People", "Positions") == ("People", "Positions")
    assert ends("People to ", "", "People", "Positions") is None


@pytest.mark.parametrize(
    "one, many, same",
    [
        ("Company", "Companies", True),
        ("Seat", "Seats", True),
        ("CEO", "CEOs", True),
        ("Bu", "Bus", False),
        ("Bos", "Boss", False),
    ],
)
def test_plurals(one: str, many: str, same: bool) -> None:  # noqa: FBT001
    """The singular of a name means the same as its plural; not every last s makes a plural."""
    assert ends(f"People to {one}", "People", many) == (("People", many) if same else None)
    assert ends(f"People to {many}", "People", one) == (("People", one) if same else None)


def test_links_join_no_links() -> None:
    """A LINKS dataset is no end of another."""
    names = ("People", "Positions", "Positions to Roles")
    types = {"Positions to Roles": LINKS}
    assert ends("People to Positions to Roles", *names, types=types) is None
