"""Which dataset is what: by the catalog's facts, and by the user's word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.dbt.catalog import tables_in
from tap_orgvue.dbt.roles import RoleFinder, Roles
from tap_orgvue.settings.checks import SettingsError
from tests.support.catalogs import LINKS, PEOPLE, POSITIONS, catalog, stream

if TYPE_CHECKING:
    from collections.abc import Mapping


def roles_of(
    *streams: dict[str, Any], joins: Mapping[str, str] | None = None, **chosen: str
) -> Roles:
    """The roles in a catalog of these streams."""
    return RoleFinder(tables_in(catalog(*streams)), chosen, joins or {}).find()


def names(roles: Roles) -> list[str | None]:
    """The streams of people, positions, links and hierarchy."""
    tables = (roles.people, roles.positions, roles.links, roles.tree)
    return [table.stream if table else None for table in tables]


def test_the_types_decide() -> None:
    """PEOPLE, POSITIONS and the LINKS whose name says that it joins them; the tree by its facts."""
    roles = roles_of(LINKS, POSITIONS, PEOPLE)
    assert names(roles) == ["people", "positions", "people_to_positions", "positions"]
    assert roles.cost is not None
    assert roles.cost.name == "annual_cost"
    assert roles.currency is not None
    assert roles.activity is not None
    assert (roles.activity[0].name, roles.activity[1]) == ("leaver", False)
    assert roles.allocation is not None
    assert not roles.links_are_reversed
    assert roles.notes == ()


@pytest.mark.parametrize(
    "streams,expected",
    [
        ([PEOPLE], ["people", None, None, None]),
        ([POSITIONS], [None, "positions", None, "positions"]),
        ([LINKS], [None, None, None, None]),
        ([PEOPLE, POSITIONS], ["people", "positions", None, "positions"]),
        ([PEOPLE, LINKS], ["people", None, None, None]),
    ],
)
def test_what_is_not_there_has_no_role(
    streams: list[dict[str, Any]], expected: list[str | None]
) -> None:
    """A tenant may have any of the datasets."""
    assert names(roles_of(*streams)) == expected


def test_those_that_links_join_come_first() -> None:
    """Of several datasets of people those are taken that a LINKS dataset names."""
    staff = stream("staff", "no", "PEOPLE", auto_id="no")
    roles = roles_of(staff, PEOPLE, POSITIONS, LINKS)
    assert names(roles)[:3] == ["people", "positions", "people_to_positions"]
    roles = roles_of(staff, PEOPLE)
    assert names(roles)[0] == "staff"
    assert roles.notes == (
        "people: staff is taken; --roles people=NAME takes another one of people.",
    )


def test_positions_are_the_hierarchy_before_people() -> None:
    """Then people, then the first other dataset that is hierarchical, and a note names the rest."""
    jobs, flat = (
        stream("jobs", "no up", "OTHER", tree=("no", "up")),
        stream("positions", "code", "POSITIONS", auto_id="code"),
    )
    people = stream("people", "id boss", "PEOPLE", auto_id="id", tree=("id", "boss"))
    for streams, tree, rest in (
        ((jobs, people, POSITIONS), "positions", "people, jobs"),
        ((jobs, people, flat), "people", "jobs"),
        ((jobs, PEOPLE, flat), "jobs", None),
    ):
        roles = roles_of(*streams)
        assert names(roles)[3] == tree
        told = f"tree: {tree} is taken; --roles tree=NAME takes another one of {rest}."
        assert roles.notes == ((told,) if rest else ())


@pytest.mark.parametrize(
    "title,ends",
    [
        ("People to Positions", ("people", "positions")),
        ("Positions - People (old)", ("positions", "people")),
        ("Position/People links", ("positions", "people")),
        ("People 2026 to Positions", ("people_2026", "positions")),
        ("Positions (one position each) of People", ("positions", "people")),
        ("People 2026 in Positions, of People 2026", ("people_2026", "positions")),
        ("Twins/Twins of People", ("twins", "people")),
    ],
)
def test_a_name_says_what_links_join(title: str, ends: tuple[str, str]) -> None:
    """Names of datasets in the name of the LINKS dataset, in its order, the longest first."""
    later = stream("people_2026", "id", "PEOPLE", title="People 2026", auto_id="id")
    links = stream("links", "from_id to_id", "LINKS", title=title)
    twins = [stream(name, "x", "OTHER") for name in ("twins", "twin")]
    found = roles_of(PEOPLE, later, POSITIONS, *twins, links).ends["links"]
    assert (found.start.stream, found.end.stream) == ends


def test_the_name_of_a_stream_says_what_links_join() -> None:
    """Where the name of the dataset does not."""
    other, links = (
        stream(name, "from_id to_id", "LINKS", title="?") for name in ("x", "positions_of_people")
    )
    found = roles_of(PEOPLE, POSITIONS, other, links).ends
    assert [*found] == ["positions_of_people"]
    assert found["positions_of_people"].start.stream == "positions"


def test_columns_alone_make_no_links() -> None:
    """A dataset of another type that has `from_id` and `to_id` joins nothing."""
    moves = stream("people_to_positions", "from_id to_id", "OTHER")
    assert roles_of(PEOPLE, POSITIONS, moves).ends == {}


def test_links_that_lead_back() -> None:
    """From positions to people is as good as the other way."""
    links = stream("links", "from_id to_id", "LINKS", title="Positions to People")
    assert roles_of(PEOPLE, POSITIONS, links).links_are_reversed


def test_ends_that_nothing_names() -> None:
    """The only LINKS dataset joins the only people and positions; of two, nobody knows."""
    links = [stream(name, "from_id to_id", "LINKS", title=f"X {name}") for name in ("a", "b")]
    roles = roles_of(PEOPLE, POSITIONS, links[0])
    assert names(roles)[2] == "a"
    assumed = roles.ends["a"]
    assert assumed.why.startswith("assumed")
    assert (assumed.start.stream, assumed.end.stream) == ("people", "positions")
    roles = roles_of(PEOPLE, POSITIONS, *links)
    assert names(roles)[2] is None
    assert roles.ends == {}
    assert [note.partition(";")[0] for note in roles.notes] == [
        f"{name}: the two datasets that it joins are unknown" for name in ("a", "b")
    ]
    assert all(note.endswith("=FROM:TO.") for note in roles.notes)
    roles = roles_of(PEOPLE, POSITIONS, *links, joins={"b": "positions:people"})
    assert names(roles)[2] == "b"
    assert roles.links_are_reversed


def test_the_user_decides() -> None:
    """By stream, dataset id or dataset name; columns by column or property; `none` for nothing."""
    other = stream("jobs", "no up", "OTHER", title="Jobs {{", auto_id="no", tree=("no", "up"))
    every = [PEOPLE, POSITIONS, LINKS, other]
    assert names(roles_of(*every, positions="jobs"))[1:] == ["jobs", None, "jobs"]
    assert names(roles_of(*every, tree="jobs {{"))[3] == "jobs"
    assert names(roles_of(*every, tree=other["table_name"].lower()))[3] == "jobs"
    assert names(roles_of(*every, tree="none", links="none"))[2:] == [None, None]
    roles = roles_of(*every, cost="salary", currency="none", active="leaver")
    assert roles.cost is not None
    assert (roles.cost.name, roles.currency) == ("salary", None)
    assert roles.activity is not None
    assert roles.activity[1] is True
    assert roles_of(*every, active="none").activity is None
    links = stream("links", "from_id to_id", "LINKS", title="?")
    found = roles_of(PEOPLE, POSITIONS, other, links, positions="jobs", links="links")
    assert found.ends["links"].end.stream == "jobs"


def test_links_that_the_user_names_keep_their_direction() -> None:
    """Their name says what they join, where that is people and positions."""
    links = stream("links", "from_id to_id", "LINKS", title="Positions to People")
    roles = roles_of(PEOPLE, POSITIONS, links, links="links")
    assert roles.links_are_reversed
    assert roles.ends["links"].why == "its name says so"


def test_a_name_without_letters_names_no_end() -> None:
    """Nor does it match an `s` that stands alone."""
    people = stream("people", "id", "PEOPLE", title="!!!", auto_id="id")
    links = stream("links", "from_id to_id", "LINKS", title="Manager's Positions")
    others = [POSITIONS, stream("jobs", "no", "OTHER", title="Jobs")]
    more = stream("more", "from_id to_id", "LINKS", title="???")
    assert roles_of(people, *others, links, more).ends == {}


TWINS = [stream(name, "x", "OTHER", title="Twins") for name in ("one", "other")]
"""Two datasets of one name, which therefore names none of them."""


@pytest.mark.parametrize(
    "chosen,said",
    [
        ({"peple": "people"}, "is no role"),
        ({"people": "nobody"}, "There are: people, positions"),
        ({"people": "TWINS"}, "no selected stream of the catalog is 'TWINS'"),
        ({"tree": "people"}, "no hierarchy"),
        ({"links": "people"}, "from_id"),
        ({"cost": "price"}, "people has no column 'price'"),
    ],
)
def test_a_wrong_word_is_reported(chosen: dict[str, str], said: str) -> None:
    """A role, a stream or a column that is not there is an error that names what is."""
    with pytest.raises(SettingsError, match=said):
        roles_of(PEOPLE, POSITIONS, LINKS, *TWINS, joins=None, **chosen)


@pytest.mark.parametrize(
    "links,ends,said",
    [
        ("people_to_positions", "people", "--joins people_to_positions: takes people_to_positions"),
        ("people_to_positions", "people:x", "--joins people_to_positions: .* is 'x'"),
        ("nothing", "people:positions", "--joins: .* is 'nothing'"),
        ("people", "people:positions", "--joins people: people has no columns from_id and to_id"),
    ],
)
def test_joins_that_are_none(links: str, ends: str, said: str) -> None:
    """`--joins` names a stream that has ends, and two others."""
    with pytest.raises(SettingsError, match=said):
        roles_of(PEOPLE, POSITIONS, LINKS, joins={links: ends})


def test_a_catalog_of_before() -> None:
    """Without facts nothing has a role but links, which their columns show; the user tells."""
    old = [stream("people", "id name"), stream("x", "from_id to_id link_id")]
    roles = roles_of(*old)
    assert names(roles) == [None] * 4
    assert tables_in(catalog(*old))[1].is_links
    roles = roles_of(*old, people="people")
    assert names(roles)[0] is None
    assert any("new --discover" in note for note in roles.notes)


def test_what_is_not_selected_is_not_there() -> None:
    """Neither streams nor columns that the catalog deselects are in the tables."""
    entry = stream("people", "id name pay:n", "PEOPLE", auto_id="id", deselected=("pay",))
    (table,) = tables_in(catalog(entry, stream("rest", "x", "OTHER", selected=False)))
    assert [column.raw for column in table.columns] == ["_id", "id", "name"]


def test_keys_are_sent_whether_selected_or_not() -> None:
    """So their columns are in the tables: the stream's key, and its replication key."""
    entry = stream("people", "id changed pay", "PEOPLE", deselected=("_id", "changed", "pay"))
    (table,) = tables_in(catalog({**entry, "replication_key": "changed"}))
    assert [column.raw for column in table.columns] == ["_id", "id", "changed"]
    entry["metadata"][-1]["metadata"]["replication-key"] = "pay"
    (table,) = tables_in(catalog(entry))
    assert [column.raw for column in table.columns] == ["_id", "id", "pay"]


@pytest.mark.parametrize("missing", ["code", "boss"])
def test_a_hierarchy_without_nodes_or_parents(missing: str) -> None:
    """It is none."""
    facts: dict[str, Any] = {"auto_id": "id", "tree": ("code", "boss")}
    entry = stream("positions", "id code boss", "POSITIONS", deselected=(missing,), **facts)
    assert names(roles_of(entry)) == [None, "positions", None, None]


def test_links_without_both_ends() -> None:
    """They join nothing, and the user is told which columns are missing."""
    links = stream("links", "from_id to_id", "LINKS", deselected=("to_id",))
    roles = roles_of(PEOPLE, POSITIONS, links)
    assert names(roles)[2] is None
    (note,) = roles.notes
    assert "from_id and to_id must be selected" in note


@pytest.mark.parametrize("role", ["people", "positions"])
def test_a_table_without_a_key_of_its_own(role: str) -> None:
    """Links cannot name its rows, so there are no models of it, and the user is told."""
    entry = stream(role, "id", role.upper(), auto_id="id", deselected=("id",))
    [other] = [each for each in (PEOPLE, POSITIONS) if each["stream"] != role]
    roles = roles_of(entry, other, LINKS)
    expected = {"people", "positions"} - {role}
    assert {*names(roles)[:3]} == {*expected, None}
    [note] = roles.notes
    assert note.startswith(f"The {role} ({role}) have no key of their own in the catalog")
    assert f"no models of {role}" in note


def test_a_catalog_without_metadata() -> None:
    """All of its streams and columns are selected; the root metadata may have the keys."""
    plain = {**stream("people", "id"), "metadata": []}
    columns = {**POSITIONS, "metadata": POSITIONS["metadata"][-1:]}
    keyless = {**stream("rest", "x"), "key_properties": []}
    found = tables_in(catalog(plain, columns, keyless))
    assert [table.stream for table in found] == ["people", "positions", "rest"]
    assert [column.raw for column in found[0].columns] == ["_id", "id"]
    assert [len(table.columns) for table in found] == [2, 5, 2]
    assert [table.keys for table in found] == [("_id",)] * 3
