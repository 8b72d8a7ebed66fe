"""The page of a tenant: its datasets as a picture, the settings, and the data dictionary."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from tap_orgvue.orgvue.models import Dataset, Metadata
from tap_orgvue.pages.dictionary import DatasetEntry, Dictionary, PropertyEntry, PropertyTreatment
from tap_orgvue.pages.tenant_page import page_of
from tap_orgvue.settings.settings import Settings

SETTINGS = Settings(api_token="no token", tenant_id="ACME", api_url="https://orgvue.example")

Boxes = dict[str, tuple[str, list[str]]]


def entry(name: str, kind: str = "", properties: int = 2, **members: Any) -> DatasetEntry:
    """A dataset of the dictionary."""
    found = [
        PropertyEntry(
            key=f"key {i}",
            name=f"Property {i}",
            declared="text",
            column=f"key_{i}",
            json_type="string or null",
            treatment=PropertyTreatment.READ,
        )
        for i in range(properties)
    ]
    dataset = Dataset(f"id of {name}", name, kind)
    return DatasetEntry(dataset, name.lower(), **{"properties": found, **members})


PEOPLE = entry("People", "PEOPLE")
POSITIONS = entry("Positions", "POSITIONS")
LINK = entry("People to Positions", "LINKS")
UNCLEAR = entry("Allocation", "LINKS")
ROLES = entry("Roles", "ROLES")


def page(*entries: DatasetEntry, **members: Any) -> str:
    """The page of a tenant with these datasets."""
    options = {"has_catalog": False, **members}
    return page_of(Dictionary(entries), SETTINGS, "ACME", now="2026-09-30T02:00:00Z", **options)


def boxes(html: str) -> Boxes:
    """Dataset to the classes and the texts of its box."""
    found = re.findall(
        r'<a href="#d\d+" class="((?:box|dataset) [^"]*)">(.*?)</a>', html, re.DOTALL
    )
    texts = [(classes, re.findall(r">([^<>\n]+)<", inner)) for classes, inner in found]
    return {lines[0]: (classes, lines[1:]) for classes, lines in texts}


def text_of(html: str, begin: str, end: str) -> list[str]:
    """The texts between two others."""
    return re.findall(r">([^<>\n]+)<", html.partition(begin)[2].partition(end)[0])


# -- the picture


def test_each_dataset_has_one_place() -> None:
    """Datasets that a line joins are drawn; LINKS datasets of unclear names and all others follow.

    A LINKS dataset that is a line has no box.
    """
    html = page(UNCLEAR, LINK, ROLES, POSITIONS, PEOPLE)
    drawing, _, rest = html.partition("</svg>")
    assert list(boxes(drawing)) == ["Positions", "People"]
    unclear, heading, others = rest.partition('<h3 class="after">Datasets without a line</h3>')
    assert heading
    assert "LINKS datasets whose names do not tell two datasets" in unclear
    assert (list(boxes(unclear)), list(boxes(others))) == (["Allocation"], ["Roles"])


def test_a_line_has_its_name_and_its_ends() -> None:
    """In the drawing, and in the table that says the same in words; both lead to its properties."""
    drawing, _, rest = page(PEOPLE, ROLES, LINK, POSITIONS).partition("</svg>")
    assert drawing.count('<g class="link"><title>People to Positions</title><path d="M') == 1
    [label] = re.findall(r'<a href="#d2" class="label">.*?</a>', drawing)
    assert re.findall(r">([^<>]+)<", label) == ["People to Positions", "People to Positions"]
    table = rest.partition("<tbody>")[2].partition("</tbody>")[0]
    assert 'href="#d2"' in table
    assert re.findall(r">([^<>\n]+)<", table) == ["People to Positions", "People", "Positions"]


@pytest.mark.parametrize(
    "entries, headings",
    [
        ([PEOPLE, ROLES], ["All datasets"]),
        (
            [PEOPLE, UNCLEAR],
            ["LINKS datasets whose names do not tell two datasets", "All other datasets"],
        ),
        ([PEOPLE, LINK, POSITIONS], []),
    ],
)
def test_headings_of_the_datasets(entries: list[DatasetEntry], headings: list[str]) -> None:
    """Only of lists that are there: without a line nothing is drawn."""
    html = page(*entries)
    assert re.findall(r'<h3 class="after">([^<]*)</h3>', html) == headings
    assert ('<svg class="datasets"' in html) is (LINK in entries)


TREE = Metadata(auto_id="code", tree_id="node", tree_parent_id="boss")


@pytest.mark.parametrize(
    "dataset, classes, lines",
    [
        (PEOPLE, "people", ["PEOPLE, 2 properties"]),
        (entry("Roles", "ROLES", 1), "roles", ["ROLES, 1 property"]),
        (entry("Skills", "SKILLS", 0), "other", ["SKILLS, 0 properties"]),
        (entry("Notes"), "other", ["no type, 2 properties"]),
        (entry("Secret", "PEOPLE", 0, reason="It is hidden."), "people", ["PEOPLE, not read"]),
        (
            entry("Tree", "POSITIONS", metadata=TREE),
            "positions",
            ["POSITIONS, 2 properties", "key: code", "tree: node", "parent: boss"],
        ),
        (entry("Bare", "ROLES", metadata=Metadata()), "roles", ["ROLES, 2 properties"]),
        (
            entry("Long", "ROLES", metadata=Metadata(auto_id="a key of more than 28 characters")),
            "roles",
            ["ROLES, 2 properties", "key: a key of more than 28…"],
        ),
    ],
    ids=lambda value: value.dataset.name if isinstance(value, DatasetEntry) else "",
)
def test_a_box(dataset: DatasetEntry, classes: str, lines: list[str]) -> None:
    """The type, how many properties it has, and the keys of its tree; or that it is not read."""
    unread = " unread" if dataset.reason else ""
    expected = {dataset.dataset.name: (f"dataset {classes}{unread}", lines)}
    assert boxes(page(dataset)) == expected


def test_a_box_in_the_drawing() -> None:
    """It has the same lines below each other, and its name cut to its width."""
    long = entry("People of the whole company", "PEOPLE", reason="It is hidden.")
    html = page(long, POSITIONS, entry("People of the whole company to Positions", "LINKS"))
    shown = boxes(html.partition("</svg>")[0])
    name = "People of the whole company"
    assert shown[name] == ("box people unread", ["People of the whole co…", "PEOPLE, not read"])
    assert shown["Positions"] == ("box positions", ["Positions", "POSITIONS, 2 properties"])
    assert re.findall(r'class="label">.*?>([^<>]*)</text>', html) == ["People of the whole…"]


# -- the settings


def test_what_decides_beside_the_settings_is_reported() -> None:
    """A catalog, and maps that change what is sent: each is said only where there is one."""
    sentences = ("The catalog's selection is taken into account", "Stream maps or flattening")
    told = {
        (catalog, maps): [
            each in page(PEOPLE, has_catalog=catalog, has_maps=maps) for each in sentences
        ]
        for catalog in (False, True)
        for maps in (False, True)
    }
    assert all(said == list(given) for given, said in told.items())
    assert sentences[1] not in page(PEOPLE)


def test_patterns_tell_how_many_properties_they_protect() -> None:
    """Over all datasets; one that protects nothing is a warning."""
    excluded = [
        msgspec.structs.replace(
            each, treatment=PropertyTreatment.EXCLUDED, patterns=["key*", "key 1"][: i + 1]
        )
        for i, each in enumerate(PEOPLE.properties)
    ]
    people, roles = (msgspec.structs.replace(each, properties=excluded) for each in (PEOPLE, ROLES))
    settings = msgspec.structs.replace(
        SETTINGS, exclude_properties=("key*", "key 1"), hash_properties=("email",)
    )
    html = page_of(
        Dictionary([people, roles]), settings, "ACME", now="2026-09-30", has_catalog=False
    )
    assert text_of(html, '<caption class="unseen">Patterns that exclude', "</table>")[3:] == [
        *("exclude_properties", "key*", "4"),
        *("exclude_properties", "key 1", "2"),
        *("hash_properties", "email", "protects none"),
    ]


# -- the summary


def test_the_summary_counts_datasets_and_properties() -> None:
    """Datasets that are read of those there are, and properties by what a run does with them."""
    hashed = msgspec.structs.replace(PEOPLE.properties[0], treatment=PropertyTreatment.HASHED)
    ignored = msgspec.structs.replace(PEOPLE.properties[0], treatment=PropertyTreatment.IGNORED)
    people = msgspec.structs.replace(PEOPLE, properties=[hashed, ignored, *PEOPLE.properties])
    html = page(people, ROLES, entry("Secret", properties=0, reason="It is hidden."))
    assert text_of(html, "What a run reads", "</dl>") == [
        *("Datasets", "2", "of 3 in the tenant"),
        *("Properties read", "4"),
        *("Properties hashed", "1"),
        *("Properties excluded", "0"),
        *("Properties ignored", "1"),
    ]
