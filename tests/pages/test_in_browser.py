"""The pages in a real browser: opened from disk, searched, printed, seen by day and by night."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tap_orgvue.orgvue.models import Dataset, Metadata
from tap_orgvue.orgvue.models import Property as Declared
from tap_orgvue.pages import tenant_page
from tap_orgvue.pages.dictionary import DatasetEntry, Dictionary, PropertyEntry, PropertyTreatment
from tap_orgvue.pages.report_page import write_report_page
from tap_orgvue.reporting.run_report import Change
from tap_orgvue.settings.settings import Settings
from tests.support.browser import leave_out_without_browser
from tests.support.hostile import HOSTILE_NAMES
from tests.support.run_reports import NAMES, TENANT, history, report, save, stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.browser import OpenPage

    Look = Callable[..., OpenPage]

leave_out_without_browser()

pytestmark = pytest.mark.slow

PHONE, PAPER = 375, 718
"""Pixels: a phone, and A4 between its margins."""

OPEN_ALL = "for (const each of document.querySelectorAll('details')) each.open = true"


# -- the pages that are looked at


@pytest.fixture(scope="module")
def report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of some nights, the last one eventful."""
    folder = tmp_path_factory.mktemp("report")
    save(folder, *history(12))
    (folder / "run-20260101T020000Z-ACME-ffffff.json").write_text("{")
    return write_report_page(folder, TENANT)


@pytest.fixture(scope="module")
def large_report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 streams, 90 runs."""
    folder = tmp_path_factory.mktemp("large-report")
    save(folder, *history(90, [f"stream_{i:03d}" for i in range(300)]))
    return write_report_page(folder, TENANT)


def entry(
    number: int, name: str, kind: str = "PEOPLE", properties: int = 12, reason: str = ""
) -> DatasetEntry:
    """A dataset of the dictionary; of its properties one is excluded and one hashed."""
    treated = {
        1: (PropertyTreatment.EXCLUDED, ["*salary*"]),
        2: (PropertyTreatment.HASHED, ["email"]),
    }
    return DatasetEntry(
        Dataset(f"0B53C2F0-7A5B-4A37-9B65-0C5C6A1F{number:04X}", name, kind),
        f"stream_{number}",
        reason,
        Metadata(
            auto_id="key 0",
            tree_id="key 0" if number == 1 else None,
            tree_parent_id="parent_id" if number == 1 else None,
            properties=(Declared("key 0"),),
        ),
        []
        if reason
        else [
            PropertyEntry(
                key=f"key {i}",
                name=f"Property {i} of {name}",
                declared=("text", "number", "date", "boolean")[i % 4],
                column="" if i == 1 else f"key_{i}",
                json_type="" if i == 1 else "string or null",
                treatment=treated.get(i, (PropertyTreatment.READ, []))[0],
                patterns=treated.get(i, (PropertyTreatment.READ, []))[1],
                roles=["key"] if i == 0 else [],
            )
            for i in range(properties)
        ],
    )


SMALL = [
    entry(0, "People"),
    entry(1, "Positions", "POSITIONS"),
    entry(2, "People to Positions", "LINKS", 4),
    entry(3, "Allocation", "LINKS", 4),
    entry(4, "Roles", "ROLES", reason="Orgvue refused it. `datasets` leaves it out."),
]


def written(folder: Path, entries: list[DatasetEntry]) -> Path:
    """The page of a tenant with these datasets."""
    settings = Settings(
        api_token="no token",
        tenant_id="ACME",
        api_url="https://orgvue.example",
        exclude_properties=("*salary*", "nothing*"),
        hash_properties=("email",),
        hash_key=b"a key of sixteen characters",
    )
    html = tenant_page.page_of(
        Dictionary(entries), settings, TENANT, now="2026-09-30T02:00:00Z", has_catalog=False
    )
    path = folder / "tenant-ACME.html"
    path.write_text(html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five datasets: two with a line between them, a LINKS dataset without one, one not read."""
    return written(tmp_path_factory.mktemp("tenant"), SMALL)


@pytest.fixture(scope="module")
def large_tenant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 datasets of 50 properties, a quarter of them LINKS."""
    entries = [
        entry(i, f"Dataset No {i}", ("PEOPLE", "POSITIONS", "ROLES")[i % 3], 50) for i in range(150)
    ]
    entries += [entry(i, f"No {i % 7} to No {i - 100}", "LINKS", 50) for i in range(150, 200)]
    return written(tmp_path_factory.mktemp("large-tenant"), entries)


@pytest.fixture(params=["report", "tenant"])
def either(request: pytest.FixtureRequest, report_page: Path, tenant: Path) -> Path:
    """One page after the other."""
    return report_page if request.param == "report" else tenant


# -- both


def test_a_page_opens_from_disk(either: Path, look: Look) -> None:
    """It asks nothing of anybody, and the browser complains of nothing."""
    opened = look(either)
    assert opened.page.title()
    assert opened.page.locator("h1").inner_text() == "ACME"
    assert (opened.complaints, opened.requests) == ([], [])


@pytest.mark.parametrize("scheme, width", [("light", 1200), ("dark", PHONE)])
def test_a_page_is_accessible(either: Path, look: Look, scheme: str, width: int) -> None:
    """Axe finds nothing, by day on a desk, by night on a phone, with all of it open."""
    opened = look(either, width, color_scheme=scheme)
    opened.page.evaluate(OPEN_ALL)
    found = Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()


def test_a_page_is_dark_at_night(either: Path, look: Look) -> None:
    """Text is lighter than its ground where the user's system is dark, and darker else."""
    script = """() => {
        const style = getComputedStyle(document.body);
        const light = (colour) => colour.match(/\\d+/g).reduce((sum, n) => sum + Number(n), 0);
        return light(style.color) > light(style.backgroundColor);
    }"""
    page = look(either, color_scheme="dark").page
    assert page.evaluate(script)
    page.emulate_media(color_scheme="light")
    assert not page.evaluate(script)


def test_a_page_fits_a_phone(either: Path, look: Look) -> None:
    """No part of it is wider than the phone; tables scroll in boxes of their own."""
    opened = look(either, PHONE)
    opened.page.evaluate(OPEN_ALL)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == PHONE


def test_a_page_is_whole_without_scripts(either: Path, look: Look) -> None:
    """All rows are there; what would need a script is not shown."""
    plain = look(either, java_script_enabled=False)
    rows = plain.page.locator("tbody tr").count()
    assert rows == look(either).page.locator("tbody tr").count()
    assert plain.shown("form") == plain.shown("button") == 0


def test_a_page_is_used_with_the_keyboard(either: Path, look: Look) -> None:
    """Everything is reached by the tabulator, and shows where it is."""
    opened = look(either)
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(45):
        opened.page.keyboard.press("Tab")
        name, outlined = opened.page.evaluate(
            "[document.activeElement.localName,"
            " getComputedStyle(document.activeElement).outlineStyle !== 'none']"
        )
        assert outlined or name == "body"
        seen.add(name)
    assert seen >= {"a", "input", "select", "button", "summary", "div"}


def test_a_printed_page_has_everything(either: Path, look: Look) -> None:
    """On paper all sections are open, no wider than A4, and what only a screen has is not there."""
    opened = look(either, PAPER)
    opened.page.emulate_media(media="print")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.shown("tbody tr") == opened.page.locator("tbody tr").count()
    assert opened.shown("nav") == opened.shown("input") == 0
    assert opened.page.evaluate("document.documentElement.scrollWidth") == PAPER
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.shown("details[open]") == 0


def test_hostile_names_stay_text(look: Look, tmp_path: Path) -> None:
    """No name runs, asks for anything, turns the page around, or widens it."""
    streams = [
        stream(name, dataset_name=name, changes=(Change(kind=name, name=name, now=name),))
        for name in HOSTILE_NAMES
    ]
    save(tmp_path, report(streams))
    entries = [
        entry(i, name, ("LINKS", name)[i % 2], reason=name if i % 3 == 0 else "")
        for i, name in enumerate(HOSTILE_NAMES)
    ]
    for page in (write_report_page(tmp_path, TENANT), written(tmp_path, entries)):
        opened = look(page, PHONE)
        opened.page.evaluate(OPEN_ALL)
        assert (opened.complaints, opened.requests) == ([], [])
        assert opened.page.locator("img").count() == 0
        assert opened.page.evaluate("document.documentElement.scrollWidth") == PHONE
        shown = opened.page.locator("main").inner_text()
        for name in HOSTILE_NAMES[:5]:
            assert name in shown


# -- the runs


def test_streams_are_searched_and_filtered(report_page: Path, look: Look) -> None:
    """By parts of names, and by status; the number that is left is told."""
    opened = look(report_page)
    form = opened.page.locator("form[data-find=streams-table]")
    rows = "#streams-table tbody tr"
    assert opened.shown(rows) == len(NAMES)
    form.locator("input").fill("POSITIONS people")
    expect(form.locator("output")).to_have_text(f"1 row of {len(NAMES)}")
    assert opened.shown(rows) == 1
    form.locator("input").fill("")
    expect(form.locator("output")).to_have_text("")
    assert opened.shown(rows) == len(NAMES)
    form.locator("select").select_option("Failed")
    assert opened.shown(rows) == 1


def test_tables_are_sorted(report_page: Path, look: Look) -> None:
    """By numbers as numbers, in both directions, with the keyboard; the header says how."""
    opened = look(report_page)
    header = opened.page.locator("#streams-table th", has_text="Rows")
    header.locator("button").press("Enter")
    cells = (
        "[...document.querySelectorAll('#streams-table td.n:nth-child(3)')].map(c => +c.dataset.v)"
    )
    up = opened.page.evaluate(cells)
    assert up == sorted(up)
    assert header.get_attribute("aria-sort") == "ascending"
    header.locator("button").press("Enter")
    assert opened.page.evaluate(cells) == sorted(up, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"


def test_a_large_report_is_usable(large_report_page: Path, look: Look) -> None:
    """With 300 streams and 90 runs, all streams are there, and a search finds one of them."""
    assert large_report_page.stat().st_size < 2_000_000
    opened = look(large_report_page)
    assert opened.shown("#trend-table tbody tr") == 300
    assert opened.search("trend-table", "stream_123") == "1 row of 300"
    assert opened.shown("#trend-table tbody tr") == 1


# -- the tenant


def test_all_datasets_are_in_the_picture_and_in_the_dictionary(tenant: Path, look: Look) -> None:
    """A line joins what a LINKS dataset's name tells; the others stand beside it."""
    opened = look(tenant)
    assert opened.page.locator(".datasets .box .name").all_text_contents() == [
        "People",
        "Positions",
    ]
    assert opened.page.locator(".datasets .link title").all_text_contents() == [
        "People to Positions"
    ]
    assert sorted(opened.page.locator(".boxes strong").all_inner_texts()) == ["Allocation", "Roles"]
    names = opened.page.locator("#datasets summary strong").all_inner_texts()
    assert names == [each.dataset.name for each in SMALL]
    details = opened.page.locator(".datasets .box").nth(1).locator("text").all_text_contents()
    assert details[2:] == ["key: key 0", "tree: key 0", "parent: parent_id"]
    assert "not read" in opened.page.locator(".boxes .unread").inner_text()


def test_the_dictionary_is_searched(tenant: Path, look: Look) -> None:
    """By property, dataset, column, type or pattern: sections with matches open, others go."""
    opened = look(tenant)
    search = opened.page.locator("form[data-find=datasets] input")
    output = opened.page.locator("form[data-find=datasets] output")
    for text, rows, datasets in (
        ("positions date", 4, 2),
        ("*SALARY*", 4, 4),
        ("key_3", 4, 4),
        ("0c5c6a1f0001", 12, 1),
    ):
        search.fill(text)
        some = "datasets" if datasets > 1 else "dataset"
        expect(output).to_have_text(f"{rows} rows of 32 in {datasets} {some}")
        assert opened.shown("#datasets tbody tr") == rows
    search.fill("no such thing")
    expect(output).to_have_text("0 rows of 32 in 0 datasets")
    assert opened.shown("#datasets details") == 0
    opened.page.get_by_role("button", name="Clear").press("Enter")
    expect(output).to_have_text("")
    assert opened.shown("#datasets details") == len(SMALL)
    assert opened.shown("#datasets tbody tr") == 0


def test_the_dictionary_is_filtered(tenant: Path, look: Look) -> None:
    """What is excluded, in all datasets, with its pattern."""
    opened = look(tenant)
    opened.page.locator("form[data-find=datasets] select").select_option("excluded")
    cells = opened.page.locator("#datasets tbody tr:visible td:last-child").all_inner_texts()
    assert len(cells) == 4
    assert all("excluded by *salary*" in cell for cell in cells)


def test_a_filtered_print_says_so(tenant: Path, look: Look) -> None:
    """Nobody signs a part of the dictionary for the whole."""
    opened = look(tenant)
    opened.page.emulate_media(media="print")
    assert opened.shown(".partial") == 0
    opened.page.emulate_media(media="screen")
    opened.page.locator("form[data-find=datasets] select").select_option("excluded")
    opened.page.emulate_media(media="print")
    assert opened.shown(".partial") == 1


def test_a_box_leads_to_its_properties(tenant: Path, look: Look) -> None:
    """With the keyboard: the section of the dataset opens."""
    opened = look(tenant)
    opened.page.locator(".datasets a.box").nth(1).press("Enter")
    opened.page.wait_for_selector("#d1 tbody tr")
    assert opened.shown("#d0 tbody tr") == 0


def test_a_large_tenant_is_usable(large_tenant: Path, look: Look) -> None:
    """With 10 000 properties, all datasets are there, and a search finds one property."""
    assert large_tenant.stat().st_size < 4_000_000
    opened = look(large_tenant)
    assert opened.shown("#datasets > details") == 200
    assert opened.shown(".datasets .link") == 50
    assert opened.shown(".boxes a") + opened.shown(".datasets a") == 200
    told = opened.search("datasets", "stream_177 key_23")
    assert told == "1 row of 10\u202f000 in 1 dataset"
    assert opened.shown("#datasets tbody tr") == 1
