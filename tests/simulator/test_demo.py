"""The demo tenant is believable and the same every time."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.simulator import demo_tenant
from tap_orgvue.simulator.instants import moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_orgvue.simulator import Dataset, Draft
    from tap_orgvue.simulator.dataset import Row

AWKWARD = 'Café – Löhne & "Boni" 100% (2026)'  # noqa: RUF001  # a dash that names do hold


def fits(cell: object, type_: str) -> bool:
    """Say whether a cell is of its property's declared type."""
    if cell is None:
        return True
    if type_ == "date":
        return moment_of(cell) is not None
    kinds: dict[str, tuple[type, ...]] = {"text": (str,), "number": (int, float)}
    kinds["boolean"] = (bool,)
    return isinstance(cell, kinds.get(type_, (object,))) and (
        type_ != "number" or not isinstance(cell, bool)
    )


def column(dataset: Dataset, key: str) -> list[object]:
    """Give a column's cells."""
    return [row.get(key) for row in dataset.snapshot().rows]


@pytest.mark.slow
def test_it_is_the_same_every_time() -> None:
    """Two makings hold the same cells and ids."""
    first, second = (
        [(each.dataset_id, each.metadata, each.rows) for each in demo_tenant().datasets]
        for _ in range(2)
    )
    assert first == second


@pytest.mark.slow
def test_every_cell_fits_its_type() -> None:
    """A loader that trusts the declared types is not surprised."""
    for dataset in demo_tenant().datasets:
        snapshot = dataset.snapshot()
        for each in snapshot.columns:
            assert all(fits(row.get(each.key), each.type) for row in snapshot.rows), each


@pytest.mark.slow
def test_people_are_joined_to_positions() -> None:
    """Links lead from existing people to existing positions, and carry both in their id."""
    tenant = demo_tenant()
    people, positions = tenant.dataset("People"), tenant.dataset("Positions")
    links = tenant.dataset("People to Positions")
    assert (len(people.rows), len(positions.rows)) == (3000, 2900)
    assert links.type == "LINKS"
    assert {*column(links, "from_id")} <= {*column(people, "id")}
    assert {*column(links, "to_id")} <= {*column(positions, "id")}
    assert all(f"[{row['from_id']},{row['to_id']}]" == row["link_id"] for row in links.rows)
    assert all(str(address).endswith("@example.com") for address in column(people, "email"))
    holders = [cell for cell in column(positions, "holders") if isinstance(cell, int)]
    assert sum(holders) == len(links.rows)


@pytest.mark.slow
def test_positions_are_a_tree() -> None:
    """There are six layers under one root, and one orphan, which has positions below it."""
    positions = demo_tenant().dataset("Positions")
    assert column(positions, "parent_id").count(None) == 1
    assert column(positions, "_is_orphan").count(True) == 1
    assert column(positions, "_depth").count(0) == 2
    assert {*column(positions, "_depth")} == {0, 1, 2, 3, 4, 5}
    orphan = next(row for row in positions.snapshot().rows if row["_is_orphan"])
    assert orphan["parent_id"] not in column(positions, "id")
    assert orphan["_span_of_control"]
    assert positions.metadata["treeId"] == "id"
    assert {*column(positions, "_is_leaf")} == {True, False}


@pytest.mark.slow
def test_positions_are_held_as_in_organisations() -> None:
    """Some are vacant, shared or held twice; all who have not left hold one, but for two."""
    tenant = demo_tenant()
    people, positions = tenant.dataset("People"), tenant.dataset("Positions")
    held, allocated = Counter[object](), Counter[object]()
    links = tenant.dataset("People to Positions").rows
    for link in links:
        part = link["allocation"]
        assert isinstance(part, (int, float))
        held.update({link["to_id"]: part})
        allocated.update({link["from_id"]: part})
    assert Counter(held.values()) == {1: 2643, 0.5: 130, 2: 1}
    assert len(positions.rows) - len(held) == column(positions, "holders").count(0) > 100
    assert {*allocated.values()} == {0.5, 1}
    both = Counter(link["to_id"] for link in links if link["allocation"] == 0.5)
    assert {*both.values()} == {1, 2}
    active = {row["id"] for row in people.rows if not row["leaver"]}
    assert {*allocated} < active
    assert len(active - {*allocated}) == 2
    parents = {*column(positions, "parent_id")}
    assert parents & {row["id"] for row in positions.rows if row["id"] not in held}


@pytest.mark.slow
def test_there_are_an_empty_and_an_awkward_dataset() -> None:
    """Names and cells that trip careless loaders are there to be met."""
    tenant = demo_tenant()
    awkward = tenant.dataset(AWKWARD)
    keys = [each.key for each in awkward.properties]
    assert [len(each.rows) for each in tenant.datasets].count(0) == 1
    assert {"Status", "status", "Employee ID", "date-of-birth", "Größe", 'quote"d'} < {*keys}
    assert max(map(len, keys)) == 80
    texts = column(awkward, 'quote"d')
    assert {"", None, 'She said "no"'} < {*texts}
    assert {0.1, 9007199254740993} < {*column(awkward, "Größe")}
    dates = {*column(awkward, "date-of-birth")}
    assert {"2022-01-02", "2022-01-02T00:00:00.000Z", None} < dates
    assert {"k": {"deep": ["ü"]}} in column(awkward, "custom list")


@pytest.mark.slow
def test_its_datasets_stay_what_they_are() -> None:
    """The cells of each dataset are the same in every version: documents show their figures."""
    digests = {
        dataset.name: hashlib.sha256(json.dumps(dataset.rows).encode()).hexdigest()[:16]
        for dataset in demo_tenant().datasets
    }
    assert digests == {
        "People": "7afa618f615bb220",
        "Positions": "b48c5a7ac19fde7f",
        "People to Positions": "fe1c332e866e899a",
        "Open Requisitions": "4f53cda18c2baa0c",
        AWKWARD: "14da2ca0aa57289b",
    }


def test_another_seed_is_another_tenant() -> None:
    """A seed makes people of its own, with the same ids."""
    first, second = demo_tenant(9, 3), demo_tenant(9, 3, seed=1)
    assert column(first.dataset("People"), "id") == column(second.dataset("People"), "id")
    assert column(first.dataset("People"), "name") != column(second.dataset("People"), "name")


def applied(dataset: Dataset, actions: Sequence[Mapping[str, object]]) -> list[Row]:
    """Apply item actions to the rows of a dataset, in their order."""
    rows = {str(row["_id"]): dict(row) for row in dataset.rows}
    for number, action in enumerate(actions):
        cells = {key: cell for key, cell in action.items() if key != "_action"}
        item = str(action.get("_id", number))
        if action["_action"] == "delete":
            del rows[item]
        elif action["_action"] == "create":
            assert item not in rows
            rows[item] = cells
        else:
            rows[item].update(cells)
    return list(rows.values())


def in_departments(rows: Sequence[Mapping[str, object]]) -> Counter[object]:
    """Count those who have not left by department."""
    return Counter(row["department"] for row in rows if not row["leaver"])


def layer(draft: Draft, key: str = "default") -> list[Mapping[str, object]]:
    """Give a layer's actions."""
    actions = draft.layer(key)
    return [*(actions() if callable(actions) else actions)]


@pytest.mark.slow
def test_drafts_fit_the_people() -> None:
    """Actions name stored properties with values of their types, and nobody who is not there."""
    tenant = demo_tenant()
    people = tenant.dataset("People")
    stored = {each.key: each.type for each in people.snapshot().stored}
    taken = {*column(people, "id")}
    for draft in tenant.drafts:
        assert draft.base is people
        for action in (each for key in ("default", *draft.layers) for each in layer(draft, key)):
            cells = {key: cell for key, cell in action.items() if not key.startswith("_")}
            assert {*cells} <= {*stored}
            assert all(fits(cell, stored[key]) for key, cell in cells.items())
            assert action["_action"] != "create" or cells["id"] not in taken
            taken |= {cells["id"]} if action["_action"] == "create" else set()
        assert all(applied(people, layer(draft, key)) for key in ("default", *draft.layers))


@pytest.mark.slow
def test_the_reorganisation_moves_one_department() -> None:
    """Technology loses people to a new department with a head and to another; some roles end."""
    people = demo_tenant().dataset("People")
    (draft, _) = demo_tenant().drafts
    today, rows = in_departments(people.rows), applied(people, layer(draft))
    then = in_departments(rows)
    assert {name for name in then if then[name] != today[name]} == {
        "Technology",
        "Data & AI",
        "Operations",
    }
    assert then["Technology"] < today["Technology"] / 2
    ended = sum(action["_action"] == "delete" for action in layer(draft))
    assert then.total() == today.total() - ended < today.total()
    (head,) = (row for row in rows if row["jobTitle"] == "Head of Data & AI")
    assert (head["department"], head["salary"]) == ("Data & AI", 138_000)


@pytest.mark.slow
def test_the_hiring_plan_hires() -> None:
    """Two departments grow, in two steps; some hires have an id already, most do not."""
    people = demo_tenant().dataset("People")
    (_, draft) = demo_tenant().drafts
    today = in_departments(people.rows)
    then = in_departments(applied(people, [*layer(draft), *layer(draft, "2027")]))
    assert then - today == {"Sales": 18, "Technology": 18}
    creates = [each for each in layer(draft) if each["_action"] == "create"]
    assert [len(creates), sum("_id" in each for each in creates)] == [24, 6]


def test_it_can_be_small() -> None:
    """A tenant without people and positions is one, too."""
    sizes = [len(dataset.rows) for dataset in demo_tenant(people=0, positions=0).datasets]
    assert sizes == [0, 0, 0, 0, 144]
    assert len(demo_tenant(people=5, positions=0).dataset("People to Positions").rows) == 0
