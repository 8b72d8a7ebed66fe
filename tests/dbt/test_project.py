"""The project that is written: which files, and that hostile names do no harm in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tap_orgvue.dbt import project as project_module
from tap_orgvue.dbt.catalog import tables_in
from tap_orgvue.dbt.project import project_files
from tap_orgvue.dbt.roles import RoleFinder
from tap_orgvue.dbt.text import (
    MAX_NAME,
    clean_names,
    hashed,
    is_plain_name,
    jinja_text,
    one_line,
    shortened,
    yaml_lines,
    yaml_scalar,
)
from tests.support.catalogs import LINKS, PEOPLE, POSITIONS, catalog, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def project(
    *streams: dict[str, Any], joins: dict[str, str] | None = None, **chosen: str
) -> dict[str, str]:
    """The files for a catalog of these streams."""
    tables = tables_in(catalog(*streams))
    roles = RoleFinder(tables, chosen, joins or {}).find()
    return project_files(tables, roles, project="orgvue", schema="raw_orgvue")


def sources(files: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The tables of `sources.yml` by name."""
    (source,) = yaml.safe_load(files["models/staging/sources.yml"])["sources"]
    assert source["schema"] == "raw_orgvue"
    return {table["name"]: table for table in source["tables"]}


def column(table: dict[str, Any], name: str) -> dict[str, Any]:
    """A column of a table of `sources.yml`."""
    (found,) = (each for each in table["columns"] if each["name"] == name)
    return dict(found)


def checks_of(table: dict[str, Any], name: str) -> list[str]:
    """The names of a column's tests."""
    tests = column(table, name).get("data_tests", [])
    return [test if isinstance(test, str) else next(iter(test)) for test in tests]


def models(files: Mapping[str, str]) -> set[str]:
    """The names of the models that are not staging models."""
    found = {path for path in files if re.match(r"models/(org|marts|drafts)/.*\.sql", path)}
    return {path.rpartition("/")[2].removesuffix(".sql") for path in found}


HIERARCHY = {"org_nodes", "org_hierarchy", "org_closure", "span_of_control", "layers"}
HEADCOUNT = {"people", "assignments", "headcount", "cost"}
REST = {"positions", "vacancies", "reporting_lines"}


@pytest.mark.parametrize(
    "streams,expected",
    [
        ([PEOPLE, POSITIONS, LINKS], HIERARCHY | HEADCOUNT | REST),
        ([PEOPLE, POSITIONS], HIERARCHY | HEADCOUNT | {"positions"}),
        ([POSITIONS, LINKS], HIERARCHY | {"positions"}),
        ([PEOPLE], HEADCOUNT),
        ([LINKS], set()),
    ],
)
def test_models_are_there_where_their_datasets_are(
    streams: list[dict[str, Any]], expected: set[str]
) -> None:
    """No model of what a tenant does not have, and nothing that refers to one."""
    files = project(*streams)
    assert models(files) == expected
    known = {path.rpartition("/")[2].partition(".")[0] for path in files}
    listed = {*re.findall(r"^\| `(\w+)` \|", files["README.md"], re.MULTILINE)}
    assert listed == expected - {"org_nodes", "people", "positions"}
    assert ("headcount_as_of" in files["README.md"]) == ("people" in expected)
    for path, text in files.items():
        for name in re.findall(r"ref\('(\w+)'\)", text):
            assert name in known, path


def test_who_reports_needs_positions_in_a_tree() -> None:
    """Where people are the hierarchy, or another dataset, nobody reports by positions."""
    people = stream("people", "id boss", "PEOPLE", auto_id="id", label_id="id", tree=("id", "boss"))
    assert "reporting_lines" not in models(project(people, POSITIONS, LINKS, tree="people"))
    assert "id as node_key" in project(people)["models/org/org_nodes.sql"]


ACTIONS = "draft_id layer_key position:n action item_id from_id to_id changes"


def drafts(columns: str = ACTIONS, *, deselected: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The streams of drafts, as the catalog has them with the setting `drafts`."""
    entry, keys = "draft_id name dataset_id details", ("draft_id", "layer_key", "position")
    return [
        stream("orgvue_drafts", entry, keys=("draft_id",), deselected=deselected),
        stream("orgvue_draft_actions", columns, keys=keys, deselected=deselected),
    ]


CHANGES = {"draft_steps", "draft_items", "draft_values"}
SCENARIOS = {"people_to_be", "headcount_by_scenario"}


@pytest.mark.parametrize(
    "streams,expected",
    [
        ([PEOPLE, *drafts()], HEADCOUNT | CHANGES | SCENARIOS),
        ([PEOPLE, *drafts(deselected=("_id", "details"))], HEADCOUNT | CHANGES | SCENARIOS),
        ([POSITIONS, *drafts()], HIERARCHY | {"positions"} | CHANGES),
        ([PEOPLE, drafts()[0]], HEADCOUNT),
        ([PEOPLE, *drafts(ACTIONS.removesuffix(" changes"))], HEADCOUNT),
        ([{**PEOPLE, "table_name": ""}, *drafts()], HEADCOUNT | CHANGES),
        ([{**PEOPLE, "table_name": "a_view"}, *drafts()], HEADCOUNT | CHANGES),
        ([{**PEOPLE, "table_name": None}, *drafts()], HEADCOUNT | CHANGES),
        (
            [
                stream("people", "id", "PEOPLE", auto_id="id", keys=("id",), deselected=("_id",)),
                *drafts(),
            ],
            HEADCOUNT | CHANGES,
        ),
    ],
)
def test_models_of_drafts_are_there_where_drafts_are_read(
    streams: list[dict[str, Any]], expected: set[str]
) -> None:
    """They need both streams, with what they read; scenarios need people, and whose draft it is."""
    files = project(*streams)
    assert models(files) == expected
    assert ("models/staging/stg_orgvue_drafts.sql" in files) == (expected >= CHANGES)
    readme = files["README.md"]
    assert {name for name in ("draft_items", *SCENARIOS) if f"| `{name}` |" in readme} <= expected
    known = {path.rpartition("/")[2].partition(".")[0] for path in files}
    for path, text in files.items():
        assert {*re.findall(r"ref\('(\w+)'\)", text)} <= known, path


def test_a_draft_is_known_by_its_dataset() -> None:
    """Drafts of other datasets change no people; the id is compared in capitals."""
    text = project(PEOPLE, *drafts())["models/drafts/people_to_be.sql"]
    assert f"where upper(dataset_id) = '{PEOPLE['table_name']}'" in text


def test_who_is_active_in_a_draft() -> None:
    """By the column that says so; without one everybody is, the created too."""
    text = {
        name: project(stream("people", f"id {name}", "PEOPLE", auto_id="id"), *drafts())[
            "models/drafts/people_to_be.sql"
        ].split("-- as in `people`")[0]
        for name in ("leaver:b", "employed:b", "note")
    }
    assert "not coalesce({{ changed_boolean('changed.new_leaver') }}, false)" in text["leaver:b"]
    assert "then coalesce({{ changed_boolean('changed.new_employed') }}" in text["employed:b"]
    assert "coalesce(people.is_active, true) as is_active" in text["note"]


def test_drafts_of_people_whose_key_is_orgvues_id() -> None:
    """Their changes are found by `person_key`: `people` has no second column of the key."""
    files = project(stream("people", "name", "PEOPLE", auto_id="_id"), *drafts())
    text = files["models/drafts/people_to_be.sql"]
    assert "on people.person_key = draft_values.item" in text
    assert "person_orgvue_id" not in "".join(files.values())


def test_headcount_is_by_groups() -> None:
    """A key or a label is no group, whatever its name, and need not be there for others to be."""
    people = stream(
        "people", "team_no department_name city", "PEOPLE", auto_id="team_no", label_id="city"
    )
    posts = stream("positions", "unit_code location", "POSITIONS", auto_id="unit_code")
    columns_of_unnamed = {"id": "id", "site": "site", "unit": "_id", "_id": "note"}
    unnamed = stream("people", columns_of_unnamed, "PEOPLE", auto_id="id")
    for tenant, expected in (
        ([people, posts, LINKS], ["position_location", "person_department_name"]),
        ([unnamed, POSITIONS, LINKS], ["position_department", "person_site"]),
        ([people, posts], ["person_department_name"]),
        ([posts], None),
    ):
        files = project(*tenant, *drafts())
        variables = yaml.safe_load(files["dbt_project.yml"])["vars"]
        assert variables["headcount_dimensions"] == (expected or [])
        if expected:
            by_scenario = files["models/drafts/headcount_by_scenario.sql"]
            assert f"{{% set dimensions = {expected[-1:]} %}}" in by_scenario
            org = [files.get(f"models/org/{name}.sql", "") for name in ("people", "positions")]
            columns = {*re.findall(r" as (\w+)", "".join(org))}
            assert {*expected} <= columns


def test_a_column_with_the_name_of_its_role() -> None:
    """It is taken as it is."""
    text = project(stream("people", "id cost:n", "PEOPLE", auto_id="id"))["models/org/people.sql"]
    assert "\n    cost,  -- cost\n" in text


def test_keys_and_relations_are_tested() -> None:
    """Keys are unique and not null, parents and both ends of links lead somewhere."""
    tables = sources(project(PEOPLE, POSITIONS, LINKS))
    assert checks_of(tables["people"], "_id") == ["unique", "not_null"]
    assert checks_of(tables["people"], "id") == ["unique", "not_null"]
    assert checks_of(tables["positions"], "boss") == ["relationships"]
    links = tables["people_to_positions"]
    found = {
        name: column(links, name)["data_tests"][0]["relationships"] for name in ("from_id", "to_id")
    }
    assert found["from_id"]["arguments"] == {"to": "ref('stg_people')", "field": "id"}
    assert found["to_id"]["arguments"] == {"to": "ref('stg_positions')", "field": "code"}
    assert found["to_id"]["config"] == {"severity": "warn", "where": "__live__"}
    (parent,) = column(tables["positions"], "boss")["data_tests"]
    assert parent["relationships"]["config"]["where"] == "__live__ and boss <> ''"
    assert parent["relationships"]["arguments"] == {"to": "ref('stg_positions')", "field": "code"}


def test_the_key_of_a_hierarchy_is_tested() -> None:
    """It need not be the dataset's own key, and a key that is there twice is one node only."""
    jobs = stream("jobs", "no node up", "OTHER", auto_id="no", tree=("node", "up"))
    tables = sources(project(jobs))
    assert checks_of(tables["jobs"], "node") == ["unique", "not_null"]
    assert checks_of(tables["jobs"], "no") == ["unique", "not_null"]
    assert "\n    no as record_key," in project(jobs)["models/org/org_nodes.sql"]


def test_names_that_need_quotes_are_tested_in_the_staging_model() -> None:
    """In the raw table they are in capitals in Snowflake; a table's own name is quoted likewise."""
    order = stream("order", "user Group", "OTHER", auto_id="user", tree=("user", "Group"))
    files = project(order)
    table = sources(files)["order_"]
    assert [checks_of(table, name) for name in ("user", "Group")] == [[], []]
    (model,) = yaml.safe_load(files["models/staging/staging.yml"])["models"]
    assert checks_of(model, "user_") == ["unique", "not_null"]
    [parent] = column(model, "group_")["data_tests"]
    assert parent["relationships"]["config"] == {"severity": "warn", "where": "group_ <> ''"}
    for kind, name in (("postgres", "order"), ("snowflake", "ORDER")):
        assert jinja2.Template(table["identifier"]).render(target={"type": kind}) == name


def test_display_names_and_types_are_descriptions() -> None:
    """What a dataset and a property are called in Orgvue, and what they are."""
    tables = sources(project(stream("pay", {"pay_pct:n": "Pay %"}, "OTHER", title="Pay & more")))
    assert tables["pay"]["description"].startswith("Pay & more, type OTHER.")
    assert column(tables["pay"], "pay_pct")["description"] == "Pay %, number."


def test_a_description_names_the_property() -> None:
    """Where its key in Orgvue is not its display name."""
    pay = stream("pay", "base:n", "OTHER")
    pay["schema"]["properties"]["base"]["title"] = "Base Pay"
    table = sources(project(pay))["pay"]
    assert column(table, "base")["description"] == "Base Pay, number. Property base."


def test_ends_that_are_not_known_have_no_test() -> None:
    """A test against the wrong table would be worse than none."""
    two = [stream(name, "from_id to_id", "LINKS", title="?") for name in ("a", "b")]
    tables = sources(project(PEOPLE, POSITIONS, *two))
    assert checks_of(tables["a"], "from_id") == []
    tables = sources(project(PEOPLE, POSITIONS, *two, joins={"a": "people:positions"}))
    assert checks_of(tables["a"], "from_id") == ["relationships"]


def test_ends_without_a_key_have_no_test() -> None:
    """Nothing says by which column links name them."""
    tables = sources(project(stream("people", "name", "PEOPLE"), POSITIONS, LINKS))
    links = tables["people_to_positions"]
    assert (checks_of(links, "from_id"), checks_of(links, "to_id")) == ([], ["relationships"])


def test_a_key_of_several_columns() -> None:
    """Its columns are not null, and none of them unique."""
    tables = sources(project(stream("x", "a b", "OTHER", keys=("a", "b"))))
    assert [checks_of(tables["x"], name) for name in "ab"] == [["not_null"], ["not_null"]]


def test_numbers_as_keys_become_text() -> None:
    """Links name ends in text: the staging model has keys in text, and the test is there."""
    people = stream("people", "no:n", "PEOPLE", auto_id="no")
    links = stream(
        "links", "from_id:n to_id", "LINKS", title="People to Positions", keys=("from_id", "to_id")
    )
    files = project(people, POSITIONS, links)
    assert "{{ key_text('no') }} as no" in files["models/staging/stg_people.sql"]
    assert checks_of(sources(files)["links"], "from_id") == ["not_null"]
    found = yaml.safe_load(files["models/staging/staging.yml"])["models"]
    (model,) = (each for each in found if each["name"] == "stg_links")
    [end] = column(model, "from_id")["data_tests"]
    assert end["relationships"]["config"] == {"severity": "warn"}
    assert "from_id || '|' || to_id as assignment_key" in files["models/org/assignments.sql"]


@pytest.mark.parametrize(
    "name,expected",
    [
        ("no:n", "{{ key_text('no') }} as no"),
        ("No:n", '{{ key_text(raw_column("No")) }} as no'),
        ("no:d", "cast(no as {{ dbt.type_string() }}) as no"),
        ("No:b", 'cast({{ raw_column("No") }} as {{ dbt.type_string() }}) as no'),
    ],
)
def test_keys_of_all_types_become_text(name: str, expected: str) -> None:
    """Numbers without a decimal point, others as the database casts them; quoted if need be."""
    files = project(stream("people", name, "PEOPLE", auto_id=name[:2]))
    assert f"\n    {expected}  --" in files["models/staging/stg_people.sql"]


def test_a_hierarchy_in_numbers_becomes_text() -> None:
    """Its keys as its parents, and no other column, though its name is that of an end of links."""
    jobs = stream("jobs", "node:n up:n from_id:n", "OTHER", tree=("node", "up"))
    files = project(jobs)
    text = files["models/staging/stg_jobs.sql"]
    assert [name in text for name in ("key_text('node')", "key_text('up')")] == [True, True]
    assert "\n    from_id\n" in text
    [model] = yaml.safe_load(files["models/staging/staging.yml"])["models"]
    [parent] = column(model, "up")["data_tests"]
    assert parent["relationships"]["config"] == {"severity": "warn"}, "no number is empty text"
    assert checks_of(sources(files)["jobs"], "up") == []


def test_names_of_orgvues_own_columns() -> None:
    """They begin with `orgvue` where they would begin with an underscore, and only there."""
    text = project(stream("x", {"_made": "_made", "made": "_at", "_own": "own"}, "OTHER"))[
        "models/staging/stg_x.sql"
    ]
    assert re.findall(r"^    (\w+(?: as \w+)?)", text, re.MULTILINE) == [
        *("_id as orgvue_id", "_made as orgvue_made", "made", "_own"),
    ]


def test_the_parts_of_a_person() -> None:
    """A share is taken as it is, a percentage by the hundred; without either each is whole."""
    texts = {
        name: project(
            PEOPLE,
            POSITIONS,
            stream("links", f"from_id to_id {name}:n", "LINKS", title="People to Positions"),
        )["models/org/assignments.sql"]
        for name in ("share", "allocation_pct", "note")
    }
    assert "coalesce(share, 1) as allocation" in texts["share"]
    assert "coalesce(allocation_pct / 100, 1) as allocation" in texts["allocation_pct"]
    assert "1 as allocation" in texts["note"]


def test_links_from_positions_to_people() -> None:
    """The ends change places."""
    links = stream("links", "from_id to_id", "LINKS", title="Positions to People")
    text = project(PEOPLE, POSITIONS, links)["models/org/assignments.sql"]
    assert "to_id as person_key" in text
    assert "from_id as position_key" in text


def test_streams_of_metadata_are_sources_only() -> None:
    """`orgvue_datasets` is a table to look at, and no dataset."""
    files = project(PEOPLE, stream("orgvue_datasets", "dataset_id", keys=("dataset_id",)))
    assert "orgvue_datasets" in sources(files)
    assert "models/staging/stg_orgvue_datasets.sql" not in files


def test_it_is_the_same_every_time() -> None:
    """Equal catalogs give equal files, to the byte; every text ends its last line."""
    first, second = (project(PEOPLE, POSITIONS, LINKS) for _ in range(2))
    assert first == second
    assert [*first] == sorted(first)
    assert all(text.endswith("\n") and "\r" not in text for text in first.values())


def test_long_and_shared_names() -> None:
    """Names stay short enough for Postgres, and each another one."""
    long = "x" * 62
    files = project(
        stream(
            "people",
            f"id {long} {long[:-1]}y person_key property_key key name property_name",
            "PEOPLE",
            auto_id="id",
        ),
        stream(long, "a", "OTHER"),
        stream(long[:-1] + "z", "a", "OTHER"),
    )
    staged = [path for path in files if "/stg_" in path]
    assert len(staged) == 3
    assert max(len(Path(path).stem) for path in staged) == 50
    names = re.findall(r" as (\w+),?", files["models/org/people.sql"])
    assert len({*names}) == len(names)
    assert all(len(name) <= MAX_NAME for name in names)


# --- hostile names

HOSTILE = (
    "{{ 1 / 0 }}",
    "{% endif %}",
    "{# a",
    "}} %} #}",
    "{{{",
    "line\nfeed -- x\r\n' \" \\ */",
    "'; drop table people; --",
    "order",
    "a: b # c",
    "- x",
    "!tag &a *b",
    "\u2028\u0085\x00\x7f\ufeff\u200d",
    "\ud800",
    "🎉 備考 Größe",
    "null",
    "2026-01-01",
)


SNAPSHOTS = Path(__file__).parent / "snapshots"

SHAPES: dict[str, Callable[[], dict[str, str]]] = {
    "whole": lambda: project(
        PEOPLE,
        POSITIONS,
        LINKS,
        stream("sites", "site _rescued_data", "OTHER", auto_id="site"),
        stream(
            "Skills 2", {"skill": "Skill", "Level:n": "Level [1-5]", "_rescued_data": "x"}, "OTHER"
        ),
        *drafts(),
    ),
    "people": lambda: project(
        stream("staff", "no:n name grade:n working:b pay:n", "PEOPLE", auto_id="no"), cost="pay"
    ),
    "reversed": lambda: project(
        PEOPLE,
        POSITIONS,
        stream(
            "links",
            "from_id to_id share_percent:n since:d",
            "LINKS",
            title="Positions to People",
            keys=("from_id", "to_id"),
        ),
        stream("others", "from_id to_id", "LINKS", title="Of nobody"),
        stream("sites", "site name | town", "OTHER", title="Sites | all", auto_id="site"),
    ),
}
"""Tenants of different shapes, whose whole projects are kept in `snapshots`."""

COPIED = {file.name for file in Path(project_module.__file__).with_name("project").rglob("*.*")}
"""Names of files that are the same for every tenant."""


def snapshot(files: Mapping[str, str]) -> str:
    """All files of a project that depend on the tenant, as one text."""
    return "".join(
        f"==== {path}\n{text}"
        for path, text in sorted(files.items())
        if path.rpartition("/")[2] not in COPIED
    )


@pytest.mark.parametrize("name", SHAPES)
def test_the_whole_project(name: str) -> None:
    """What is written for a tenant, to the byte: `python -m tests.dbt.test_project` writes it anew.

    Whoever changes a model sees here what it is for each shape of tenant.
    """
    path = SNAPSHOTS / f"{name}.txt"
    assert snapshot(SHAPES[name]()) == path.read_text(encoding="utf-8")


def hostile(text: str) -> list[dict[str, Any]]:
    """Streams whose every text is hostile."""
    return [
        stream(
            "people",
            {"id": "id", f"{text} column": text, "boss": text + " "},
            f"PEOPLE{text}" if text == "null" else "PEOPLE",
            title=text,
            auto_id="id",
            label_id=text,
            tree=("id", text + " "),
        ),
        stream(f"../{text}", {text: text}, f"OTHER {text}", title=text),
        *drafts(),
    ]


def is_harmless(files: Mapping[str, str]) -> None:
    """Every file parses as what it is, and its Jinja says what the project says."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)  # noqa: S701
    for path, text in files.items():
        assert re.fullmatch(r"[A-Za-z0-9_./-]+", path), path
        assert ".." not in path
        text.encode()
        if path.endswith(".yml"):
            yaml.safe_load(text)
            assert "{%" not in text
        elif path.endswith(".sql"):
            environment.parse(re.sub(r"\{%-? (snapshot|test) .*?%\}", "", text))
        if path.startswith("models/staging/stg_"):
            signs = re.findall(r"\{[{%#].*?[}%#]\}", text)
            known = (
                *("source(", "{% set raw", "{{- rescued_columns(", "{{ raw }}", "{{ is_live("),
                *("{{ raw_column(", "{{ key_text("),
            )
            assert all(any(word in sign for word in known) for sign in signs), signs


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_data(text: str) -> None:
    """Names of datasets, properties, columns and streams with signs of YAML, SQL and Jinja."""
    files = project(*hostile(text))
    is_harmless(files)
    for path, content in files.items():
        if path.startswith("models/staging/stg_"):
            # Comments end with their lines, and names stand in string literals of Jinja.
            code = [re.sub(r'"([^"\\]|\\.)*"', "", line) for line in content.split("\n")]
            assert "drop table" not in "\n".join(line.partition("--")[0] for line in code)


@pytest.mark.slow
@given(st.text(max_size=30))
def test_any_name_is_data(text: str) -> None:
    """The same for any text."""
    is_harmless(project(*hostile(text)))


@given(st.text())
def test_any_text_is_a_scalar(text: str) -> None:
    """YAML and Jinja read what was written; only surrogates, which no file can hold, change."""
    plain = re.sub("[\ud800-\udfff]", "\ufffd", text)
    written = "\n".join(yaml_lines([{"a": [text]}, {text: {"b": text}}]))
    assert yaml.safe_load(written) == [{"a": [plain]}, {plain: {"b": plain}}]
    template = jinja2.Template("{{ " + jinja_text(text) + " }}", keep_trailing_newline=True)
    assert template.render() == plain
    rendered = jinja2.Template(f"{one_line(text)}x").render()
    assert rendered == f"{one_line(text)}x"
    assert len(one_line(text).splitlines()) <= 1


@pytest.mark.parametrize("value", [7, 0, True, False, None])
def test_other_scalars(value: object) -> None:
    """Numbers, switches and null are read as such."""
    assert yaml.safe_load(yaml_scalar(value)) is value


@pytest.mark.parametrize("word", ["yes", "No", "NULL", "~", "1", "1e3", "a b", "", "{a}"])
def test_words_of_yaml_are_texts(word: str) -> None:
    """What YAML would read as something else is quoted."""
    assert yaml.safe_load(yaml_scalar(word)) == word


def test_names_of_the_greatest_length_stay() -> None:
    """Postgres takes 63 characters: a longer name ends in a hash, and has as many."""
    longest = "x" * 63
    assert clean_names({"a": longest, "b": f"{longest}y"}) == {
        "a": longest,
        "b": f"{'x' * 40}_{hashed('b')}",
    }
    assert shortened(longest) == longest
    cut, digits = shortened(f"{longest}y"), hashed(f"{longest}y")
    assert cut == f"{'x' * 54}_{digits}"
    assert len(cut) == 63


def test_names_can_be_read() -> None:
    """Letters of all scripts are as they are in texts of YAML and Jinja."""
    for name in ("Größe 備考", "é 🎉"):
        assert (jinja_text(name), yaml_scalar(name)) == (f'"{name}"',) * 2


@given(st.lists(st.text(max_size=80), unique=True, max_size=8))
def test_clean_names_are_clean(names: list[str]) -> None:
    """Each name gets another form that needs no quotes, and fits into Postgres."""
    found = clean_names({name: name for name in names}, ["taken"])
    assert len({*found.values()}) == len(names)
    assert all(is_plain_name(name) and len(name) <= MAX_NAME for name in found.values())
    assert "taken" not in found.values()


if __name__ == "__main__":
    SNAPSHOTS.mkdir(exist_ok=True)
    for name, made in SHAPES.items():
        (SNAPSHOTS / f"{name}.txt").write_text(snapshot(made()), encoding="utf-8")
