"""What is protected in a dataset is protected in its drafts: over the command, and byte by byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.simulator import Dataset, Draft, Property
from tests.support.drafts import (
    ACTIONS,
    CHANGES,
    CREATE,
    DRAFTS,
    HASH_KEY,
    ITEM,
    PAY,
    SECRET,
    changes,
    hashed,
    links,
    posts,
    staff,
    tenant,
    with_drafts,
)
from tests.support.runs import Run, command, discover, entry, only, select, sync

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_orgvue.simulator import Orgvue

HASH = {"hash_key": HASH_KEY}
UNTOLD = ("name", "layers", "_links")
"""What the list tells of a draft whose dataset it does not tell."""


def one(
    base: Dataset | None = None,
    actions: Sequence[Mapping[str, Any]] = CHANGES,
    *others: Dataset,
    **draft: Any,
) -> Orgvue:
    """A tenant with one draft of a dataset."""
    base = base or staff()
    return tenant([base, *others], Draft("Plan", actions, base=base, **draft))


def only_actions(config: dict[str, Any], **kept: Any) -> Run:
    """Run the command, and take the messages of other streams out of what it wrote."""
    run = command(config, **kept)
    lines = [line for line in run.stdout.split("\n") if f'"stream":"{ACTIONS}"' in line]
    assert len(lines) > 1, run.stderr
    return Run("\n".join(lines), run.stderr, run.code)


def everything(run: Run) -> bytes:
    """All that left the process: for a loader and for people."""
    return (run.stdout + run.stderr).encode()


# --- exclude


@pytest.mark.parametrize(
    "pattern",
    [
        *("salary", "SALARY", "Base Pay", "base  pay", "*pay", "sal?ry", "staff.salary"),
        *("staff.Base Pay", "*.salary", "orgvue_draft_actions.salary", "orgvue_draft_actions.B*y"),
    ],
)
def test_an_excluded_property_is_in_no_draft(pattern: str) -> None:
    """By key, by display name, for one stream, or for drafts only: the value never leaves."""
    with one() as orgvue:
        run = only_actions(with_drafts(orgvue, exclude_properties=[pattern]))
        assert run.code == 0, run.stderr
        assert str(PAY).encode() not in everything(run)
        assert b'\\"salary\\"' not in run.stdout.encode()
        assert SECRET.encode() in run.stdout.encode()
        assert changes(run)[0] == {"team": "Sales"}
        assert "'salary' (2)" in run.stderr


def test_a_pattern_for_drafts_only_leaves_the_dataset_alone() -> None:
    """`orgvue_draft_actions.salary` excludes the property in drafts; the dataset has it."""
    with one() as orgvue:
        config = with_drafts(orgvue, exclude_properties=["orgvue_draft_actions.salary"])
        run = sync(config)
        assert run.records["staff"][0]["salary"] == PAY
        assert not any("salary" in each for each in changes(run))


def test_a_misspelt_pattern_fails_before_any_row() -> None:
    """As for datasets: what it should protect would be sent."""
    with one() as orgvue:
        run = command(with_drafts(orgvue, exclude_properties=["salarry"]))
        assert run.code == 3
        assert run.of_type("RECORD") == []
        assert not any(each.route == "draft_actions" for each in orgvue.requests)


# --- hash


@pytest.mark.parametrize("pattern", ["full name", "Person", "staff.full name", "*name"])
def test_a_hashed_property_stays_joinable(pattern: str) -> None:
    """Its hash is that of the dataset's column; the value never leaves."""
    with one() as orgvue:
        config = with_drafts(orgvue, hash_properties=[pattern], **HASH)
        run = command(config)
        assert run.code == 0, run.stderr
        assert SECRET.encode() not in everything(run)
        assert changes(run)[1]["full name"] == run.records["staff"][0]["full_name"]
        assert changes(run)[1]["full name"] == hashed(SECRET)


@pytest.mark.parametrize(
    "value,alike",
    [
        (PAY, PAY),
        ("90125.50", PAY),
        (" 90125.5 ", PAY),
        (12345678901234567890, 12345678901234567890),
        (1.0, 1),
        ({"b": 1, "a": [None]}, {"a": [None], "b": 1}),
        ("not a number", "not a number"),
        (True, True),
        (None, None),
        ("", ""),
        ("a\x00b", "ab"),
    ],
)
def test_hashes_of_any_value_are_those_of_the_column(value: object, alike: object) -> None:
    """Numbers, texts, nested values and nulls hash as the export's do."""
    base = staff()
    base.update(0, salary=value)
    action = {"_action": "update", "_id": ITEM, "salary": alike}
    with one(base, [action]) as orgvue:
        run = sync(with_drafts(orgvue, hash_properties=["Base Pay"], **HASH))
        assert changes(run)[0]["salary"] == run.records["staff"][0]["salary"]


def test_dates_in_both_forms_hash_alike() -> None:
    """A date with a time of day is the same day."""
    base = Dataset(
        "Staff",
        properties=[Property("id", auto_id=True), Property("start", "date")],
        rows=[{"_id": ITEM, "id": "1", "start": "2022-01-02"}],
    )
    action = {"_action": "update", "_id": ITEM, "start": "2022-01-02T00:00:00.000Z"}
    with one(base, [action]) as orgvue:
        run = sync(with_drafts(orgvue, hash_properties=["start"], **HASH))
        assert changes(run)[0]["start"] == run.records["staff"][0]["start"] == hashed("2022-01-02")


def test_hashed_ids_are_hashed_in_drafts() -> None:
    """`_id` of a dataset that hashes it joins to `item_id`; no id leaves in clear."""
    with one() as orgvue:
        run = command(with_drafts(orgvue, hash_properties=["_id"], **HASH))
        rows = run.records[ACTIONS]
        assert rows[0]["item_id"] == run.records["staff"][0]["_id"] == hashed(ITEM)
        assert ITEM.encode() not in everything(run)


@pytest.mark.slow
def test_ends_of_links_are_hashed_and_excluded() -> None:
    """`from_id` and `to_id` are properties of their dataset, by key and by display name."""
    actions = [{"_action": "create", "from_id": SECRET, "to_id": "secret-post", "share": 1}]
    with one(links(), actions) as orgvue:
        settings = {"hash_properties": ["Holder"], "exclude_properties": ["Post"], **HASH}
        run = only_actions(with_drafts(orgvue, **settings))
        (row,) = run.records[ACTIONS]
        assert (row["from_id"], row["to_id"]) == (hashed(SECRET), None)
        assert not {SECRET, "secret-post"} & {*run.stdout.split('"')}
        assert "'to_id' (1)" in run.stderr


# --- what earlier runs protected


@pytest.mark.slow
def test_a_rename_in_orgvue_unprotects_nothing() -> None:
    """A property that an earlier run protected by its display name stays protected."""
    base = staff()
    with one(base) as orgvue:
        config = with_drafts(orgvue, exclude_properties=["Base Pay"])
        first = command(config)
        base.change_property("salary", name="Remuneration")
        run = only_actions(config, state=first.state)
        assert run.code == 0, run.stderr
        assert str(PAY).encode() not in everything(run)


@pytest.mark.slow
def test_a_rename_is_remembered_where_the_dataset_is_not_sent() -> None:
    """A draft that is named by its id has a memory of its own."""
    base = staff()
    with one(base, CHANGES, posts()) as orgvue:
        draft_id = orgvue.draft("Plan").draft_id
        config = with_drafts(
            orgvue, draft_id, datasets=["Posts"], hash_properties=["Base Pay"], **HASH
        )
        config["unmatched_patterns"] = "warn"
        first = command(config)
        assert changes(first)[0]["salary"] == hashed(str(PAY))
        base.change_property("salary", name="Remuneration")
        run = command(config, state=first.state)
        assert changes(run)[0]["salary"] == hashed(str(PAY))
        assert str(PAY).encode() not in everything(run)


@pytest.mark.slow
@pytest.mark.parametrize("fails", [DRAFTS, ACTIONS])
def test_a_rename_is_remembered_by_each_stream_also_if_it_fails(fails: str) -> None:
    """One is deselected, the other one fails in every run after it has sent rows."""
    base = staff()
    plan = Draft("Plan", CHANGES, base=base, details={"preview": {"salary": PAY}})
    with tenant([base, posts()], plan, Draft("Bad", base=base)) as orgvue:
        ids = [each.draft_id for each in orgvue.tenant.drafts]
        config = with_drafts(orgvue, *ids, datasets=["Posts"], exclude_properties=["Base Pay"])
        catalog = only(discover(config), fails)
        if fails == ACTIONS:
            orgvue.refuse("403602", on="draft_actions", draft="Bad", times=None)
        else:
            orgvue.amend(on="drafts", entry="Bad", to={"name": "lost"}, times=None)
        first = command(config, catalog=catalog)
        base.change_property("salary", name="Remuneration")
        second = command(config, catalog=catalog, state=first.state)
        for run in (first, second):
            assert run.code in {3, 5}
            assert run.records[fails]
            assert str(PAY).encode() not in everything(run)


def test_a_new_display_name_protects_at_once() -> None:
    """A catalog that is older than a rename does not send what its new name protects."""
    base = staff()
    with one(base) as orgvue:
        config = with_drafts(orgvue, unmatched_patterns="warn")
        catalog = discover(config)
        base.change_property("salary", name="Confidential")
        config["exclude_properties"] = ["Confidential"]
        run = only_actions(config, catalog=catalog)
        assert str(PAY).encode() not in everything(run)


# --- selection


def test_a_deselected_property_is_left_out() -> None:
    """A column that the catalog deselects is no part of the changes."""
    with one() as orgvue:
        config = with_drafts(orgvue)
        catalog = select(discover(config), "staff", "salary", "full_name", selected=False)
        run = only_actions(config, catalog=catalog)
        assert run.code == 0
        assert not {str(PAY).encode(), SECRET.encode()} & {*everything(run).split(b'"')}
        assert changes(run) == [{"team": "Sales"}, {"id": "3", "team": "Data"}, {}]
        assert str(PAY).encode() not in everything(run)


@pytest.mark.slow
def test_a_property_that_came_after_the_catalog() -> None:
    """It is sent where the run would add it as a column, and only there."""
    base = staff()
    with one(base, [{"_action": "update", "_id": ITEM, "bonus": 4711, "team": "A"}]) as orgvue:
        config = with_drafts(orgvue)
        catalog = discover(config)
        base.add_property(Property("bonus", "number"))
        assert changes(sync(config, catalog)) == [{"bonus": 4711, "team": "A"}]
        for settings in ({"new_properties": "ignore"}, {"exclude_properties": ["bon*"]}):
            assert changes(sync({**config, **settings}, catalog)) == [{"team": "A"}]
        select(catalog, "staff", "full_name", selected=False)
        assert changes(sync(config, catalog)) == [{"team": "A"}]


@pytest.mark.slow
def test_a_deselected_dataset_refuses_its_drafts() -> None:
    """A draft of a dataset that is not sent is not sent either, unless it is named by its id."""
    with one(None, CHANGES, posts()) as orgvue:
        config = with_drafts(orgvue)
        catalog = only(discover(config), "posts", DRAFTS, ACTIONS)
        run = command(config, catalog=catalog)
        assert run.code == 0
        assert run.records[DRAFTS] == run.records[ACTIONS] == []
        assert "'staff' is deselected" in run.stderr
        assert not any(each.route == "draft_actions" for each in orgvue.requests)
        config["drafts"] = [orgvue.draft("Plan").draft_id]
        select(catalog, "staff", "salary", selected=False)
        select(catalog, "staff", selected=False)
        run = command(config, catalog=catalog)
        assert changes(run)[0] == {"team": "Sales"}
        assert str(PAY).encode() not in everything(run)


@pytest.mark.slow
def test_a_dataset_that_is_left_out_refuses_its_drafts() -> None:
    """`datasets` narrows drafts too, unless a draft is named by its id."""
    with one(None, CHANGES, posts()) as orgvue:
        run = command(with_drafts(orgvue, datasets=["Posts"]))
        assert run.code == 0
        assert run.records[ACTIONS] == []
        assert "`datasets` leaves its dataset out" in run.stderr
        named = with_drafts(
            orgvue,
            orgvue.draft("Plan").draft_id,
            datasets=["Posts"],
            exclude_properties=["staff.Person"],
            unmatched_patterns="warn",
        )
        run = command(named)
        assert changes(run)[0] == {"salary": PAY, "team": "Sales"}
        assert SECRET.encode() not in everything(run)


def test_a_dataset_that_the_catalog_lacks() -> None:
    """It is not read in this run, so that its drafts are not sent."""
    with one(None, CHANGES, posts()) as orgvue:
        config = with_drafts(orgvue)
        catalog = discover(config)
        catalog["streams"] = [e for e in catalog["streams"] if e["tap_stream_id"] != "staff"]
        run = command(config, catalog=catalog)
        assert run.records[ACTIONS] == []
        assert "not in the catalog" in run.stderr
        assert SECRET.encode() not in everything(run)


# --- stream maps


@pytest.mark.slow
@pytest.mark.parametrize(
    "maps",
    [
        {"staff": {"salary": None}},
        {"*": {"salary": "__NULL__"}},
        {"staff": {"salary": "salary * 0"}},
        {"staff": {"_id": "_id", "team": "team", "__else__": None}},
        {"staff": {}, "copy": {"__source__": "staff", "salary": None}},
    ],
)
def test_what_a_stream_map_removes_is_left_out(maps: dict[str, Any]) -> None:
    """A column that a map of the dataset's stream removes or calculates is not in its drafts."""
    with one() as orgvue:
        config = with_drafts(orgvue, stream_maps=maps)
        run = only_actions(config, catalog=only(discover(config), "staff", ACTIONS))
        assert run.code == 0, run.stderr
        assert str(PAY).encode() not in everything(run)
        assert changes(run)[0] == {"team": "Sales"}


@pytest.mark.slow
def test_an_id_that_a_stream_map_calculates_is_left_out() -> None:
    """`item_id` would tell what the map of the dataset's stream hides."""
    with one() as orgvue:
        run = command(with_drafts(orgvue, stream_maps={"staff": {"_id": "md5(_id)"}}))
        assert run.code == 0, run.stderr
        assert ITEM.encode() not in everything(run)
        assert "'_id' (2)" in run.stderr


@pytest.mark.slow
def test_a_deselected_id_is_left_out() -> None:
    """Where the catalog has another key, `_id` can be deselected."""
    with one() as orgvue:
        config = with_drafts(orgvue)
        catalog = select(discover(config), "staff", "_id", selected=False)
        entry(catalog, "staff")["key_properties"] = ["id"]
        for each in entry(catalog, "staff")["metadata"]:
            if each["breadcrumb"] == ["properties", "_id"]:
                each["metadata"]["inclusion"] = "available"
        run = command(config, catalog=catalog)
        assert run.code == 0, run.stderr
        assert "_id" not in run.records["staff"][0]
        assert ITEM.encode() not in everything(run)


@pytest.mark.slow
@pytest.mark.parametrize(
    "maps",
    [
        {"staff": None},
        {ACTIONS: {}, DRAFTS: {}, "posts": {}, "__else__": None},
        {"staff": {"__filter__": "team == 'Ops'"}},
    ],
)
def test_a_stream_that_a_map_removes_or_filters_refuses_its_drafts(maps: dict[str, Any]) -> None:
    """As a deselected stream and as `filters` do."""
    with one(None, CHANGES, posts()) as orgvue:
        run = command(with_drafts(orgvue, stream_maps=maps))
        assert run.code == 0, run.stderr
        assert run.records[ACTIONS] == []
        assert "`stream_maps`" in next(line for line in run.stderr.splitlines() if "Plan" in line)
        assert SECRET.encode() not in b"".join(
            line for line in everything(run).splitlines() if ACTIONS.encode() in line
        )


# --- filters


@pytest.mark.slow
@pytest.mark.parametrize("by_id", [False, True])
def test_a_filter_refuses_the_drafts_of_its_dataset(by_id: bool) -> None:  # noqa: FBT001
    """Filters do not narrow drafts: only a draft that is named by its id is sent."""
    base = staff()
    other = posts()
    drafts = Draft("Plan", CHANGES, base=base), Draft("Posts", [], base=other)
    with tenant([base, other], *drafts) as orgvue:
        place = base.dataset_id.lower() if by_id else "staff"
        config = with_drafts(orgvue, filters={place: {"team": "Ops"}})
        run = command(config)
        assert run.code == 0
        assert [row["name"] for row in run.records[DRAFTS]] == ["Posts"]
        assert run.records[ACTIONS] == []
        (line,) = (line for line in run.stderr.splitlines() if "is not sent" in line)
        assert "`filters`" in line
        assert "name it in `drafts` by its id" in line
        config["drafts"] = ["*", orgvue.draft("Plan").draft_id.lower()]
        assert len(command(config).records[ACTIONS]) == 3


def test_a_filter_of_any_dataset_refuses_drafts_of_an_unknown_one() -> None:
    """The dataset may be the one that is filtered."""
    with one(None, CHANGES, posts(), tells=UNTOLD) as orgvue:
        run = command(with_drafts(orgvue, filters={"posts": {"grade": 1}}))
        assert run.records[ACTIONS] == []
        assert "names no dataset that this one is based on" in run.stderr


# --- the dataset is not told


def test_where_the_dataset_is_not_named_only_what_is_safe_everywhere_passes() -> None:
    """A key that one dataset protects, or that none has, is left out and counted."""
    actions = [{**CHANGES[0], "grade": 3, "odd": "x-odd-value"}, CREATE]
    with one(None, actions, posts(), tells=UNTOLD) as orgvue:
        run = only_actions(with_drafts(orgvue, exclude_properties=["posts.Budget"]))
        assert run.code == 0
        assert str(PAY).encode() not in everything(run)
        assert b"x-odd-value" not in everything(run)
        assert changes(run) == [
            {"team": "Sales", "grade": 3},
            {"id": "3", "full name": SECRET, "team": "Data"},
        ]
        assert run.records[ACTIONS][0]["item_id"] == ITEM
        assert "'salary' (2)" in run.stderr
        assert "'odd' (1)" in run.stderr
        assert "WARNING" in next(each for each in run.stderr.splitlines() if "'salary' (2)" in each)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["hashed", "deselected", "left out", "display name", "forbidden"])
def test_where_the_dataset_is_not_named_any_doubt_leaves_out(how: str) -> None:
    """Hashed in one, not read in one, or unknown of one: the value does not leave."""
    other = posts()
    with one(None, CHANGES, other, tells=UNTOLD) as orgvue:
        config, catalog = with_drafts(orgvue), None
        if how == "hashed":
            config |= {"hash_properties": ["posts.salary"], **HASH}
        elif how == "deselected":
            catalog = select(discover(config), "posts", "salary", selected=False)
        elif how == "left out":
            config["datasets"] = ["Staff"]
        elif how == "display name":
            config["exclude_properties"] = ["Budget"]
        else:
            other.hidden_because = "403602"
        run = only_actions(config, catalog=catalog)
        assert run.code == 0, run.stderr
        assert str(PAY).encode() not in everything(run)
        assert "'salary' (2)" in run.stderr
        kept = {"team": "Sales"} if how != "forbidden" else {}
        assert changes(run)[0] == kept


def test_ids_of_an_unknown_dataset_are_left_out_where_one_hashes_them() -> None:
    """An id that is hashed in one dataset is not sent in clear."""
    with one(None, CHANGES, posts(), tells=UNTOLD) as orgvue:
        run = only_actions(with_drafts(orgvue, hash_properties=["posts._id"], **HASH))
        assert {row["item_id"] for row in run.records[ACTIONS]} == {None}
        assert ITEM.encode() not in everything(run)


@pytest.mark.parametrize("tells", [{"datasetId": 7}, {"datasetId": None, "dataset": []}])
def test_a_dataset_id_of_an_unknown_form_counts_as_none(tells: dict[str, Any]) -> None:
    """What cannot be read as an id of one dataset is no answer."""
    with one(None, CHANGES, posts(), tells=UNTOLD, details=tells) as orgvue:
        run = only_actions(with_drafts(orgvue, exclude_properties=["posts.salary"]))
        assert str(PAY).encode() not in everything(run)


@pytest.mark.slow
@pytest.mark.parametrize("member", ["baseDatasetId", "datasets", "layers"])
def test_two_datasets_are_none(member: str) -> None:
    """An entry that names two datasets does not tell which one counts."""
    other = posts()
    told: dict[str, Any] = {
        "baseDatasetId": other.dataset_id,
        "datasets": [{"id": staff().dataset_id}, {"id": other.dataset_id}],
        "layers": [{"layerKey": "default", "datasetId": other.dataset_id}],
    }
    details = {member: told[member]}
    with one(None, CHANGES, other, details=details) as orgvue:
        run = only_actions(with_drafts(orgvue, exclude_properties=["posts.salary"]))
        assert str(PAY).encode() not in everything(run)


# --- the dataset may not be read


@pytest.mark.parametrize("base", ["forbidden", "unlisted", "no uuid", "gone"])
def test_where_the_properties_cannot_be_read_none_passes(base: str) -> None:
    """The changes are counted by key, and no value leaves; actions and ids do."""
    hidden = staff()
    told: Any = hidden
    if base == "forbidden":
        hidden.hidden_because = "403602"
    elif base == "unlisted":
        hidden.listed = False
    elif base == "no uuid":
        told = "../../x?y"
    else:
        told = "36A1B000-0000-4000-8000-000000000000"
    with tenant([hidden, posts()], Draft("Plan", CHANGES, base=told)) as orgvue:
        run = only_actions(with_drafts(orgvue))
        assert run.code == 0, run.stderr
        assert [row["action"] for row in run.records[ACTIONS]] == ["update", "create", "delete"]
        assert changes(run) == [{}, {}, {}]
        assert str(PAY).encode() not in everything(run)
        assert SECRET.encode() not in everything(run)
        assert "'salary' (2)" in run.stderr
        assert not any("x?y" in each.path for each in orgvue.requests)


def test_metadata_that_is_refused_with_an_old_catalog() -> None:
    """A catalog alone does not know today's display names: nothing passes."""
    base = staff()
    with one(base) as orgvue:
        config = with_drafts(orgvue)
        catalog = discover(config)
        orgvue.refuse("403602", on="metadata", dataset="Staff", times=None)
        run = only_actions(config, catalog=catalog)
        assert changes(run) == [{}, {}, {}]
        assert SECRET.encode() not in everything(run)
        assert [row["item_id"] for row in run.records[ACTIONS]] == [ITEM, None, ITEM]


def test_metadata_that_breaks_fails_the_draft() -> None:
    """A server's error is no refusal: the draft is told, and none of it is sent."""
    with one() as orgvue:
        orgvue.refuse("500601", on="metadata", dataset="Staff", times=None)
        run = command(with_drafts(orgvue, max_retries=0))
        assert run.code == 5
        assert run.records[ACTIONS] == []
        assert "'Plan'" in run.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_dataset_that_discovery_skipped_fails_both_streams() -> None:
    """It may be read again tomorrow: nothing is sent in its place, and no row is removed."""
    base = staff()
    with tenant([base, posts()], Draft("Plan", CHANGES, base=base)) as orgvue:
        config = with_drafts(orgvue, max_retries=0, emit_activate_version_messages=True)
        for route in ("headers", "export", "metadata"):
            orgvue.refuse("500601", on=route, dataset="Staff", times=None)
        catalog = discover(config)
        orgvue.calm()
        for given in (catalog, None):
            run = command(config, catalog=given)
            if given is not None:
                assert run.code == 5
                assert "discovery skipped its dataset" in run.stderr
                assert run.records[ACTIONS] == []
                activated = {m["stream"] for m in run.of_type("ACTIVATE_VERSION")}
                assert activated == {"posts"}
            else:
                assert run.code == 0
                assert len(run.records[ACTIONS]) == 3


# --- the list


@pytest.mark.slow
def test_details_hold_nothing_that_is_protected() -> None:
    """Members of the list that are called as a protected property is are left out, at any depth."""
    details = {"preview": [{"salary": PAY, "team": "A"}], "salary": PAY, "owner": {"Base Pay": PAY}}
    with one(None, CHANGES, details=details) as orgvue:
        settings = {"exclude_properties": ["Base Pay", "staff.salary"]}
        run = command(with_drafts(orgvue, **settings))
        (row,) = run.records[DRAFTS]
        found = json.loads(row["details"])
        assert (found["preview"], found["owner"]) == ([{"team": "A"}], {})
        assert str(PAY).encode() not in everything(run)
        plain = json.loads(sync(with_drafts(orgvue)).records[DRAFTS][0]["details"])
        assert plain["preview"] == details["preview"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting", [{"exclude_properties": []}, {"hash_properties": [], "hash_key": HASH_KEY}]
)
@pytest.mark.parametrize(
    "pattern", ["Base Pay", "salary", "staff.Base Pay", "orgvue_draft_actions.salary"]
)
def test_details_hold_a_protected_property_under_none_of_its_names(
    setting: dict[str, Any], pattern: str
) -> None:
    """A pattern that matches its key or its display name removes members called by either."""
    details = {"preview": [{"salary": PAY, "team": "A"}], "owner": {"base  PAY": PAY}}
    with one(None, CHANGES, details=details) as orgvue:
        given = {name: value or [pattern] for name, value in setting.items()}
        run = command(with_drafts(orgvue, **given))
        assert run.code == 0, run.stderr
        found = json.loads(run.records[DRAFTS][0]["details"])
        assert (found["preview"], found["owner"]) == ([{"team": "A"}], {})


@pytest.mark.slow
def test_details_of_a_draft_whose_dataset_is_not_named() -> None:
    """What is protected in any dataset is removed."""
    details = {"preview": [{"salary": PAY, "grade": 7}]}
    with one(None, CHANGES, posts(), details=details, tells=UNTOLD) as orgvue:
        run = command(with_drafts(orgvue, exclude_properties=["posts.Budget"]))
        assert json.loads(run.records[DRAFTS][0]["details"])["preview"] == [{"grade": 7}]


@pytest.mark.slow
def test_details_after_a_rename() -> None:
    """A property that an earlier run protected by its display name stays out of the details."""
    base = staff()
    with one(base, CHANGES, posts(), details={"preview": {"salary": PAY}}) as orgvue:
        base.add_property(Property("bonus", "number", name="Base Pay plus"))
        config = with_drafts(orgvue, exclude_properties=["Base Pay*"])
        state = command(config).state
        base.change_property("salary", name="Compensation")
        run = command(config, state=state)
        assert json.loads(run.records[DRAFTS][0]["details"])["preview"] == {}


@pytest.mark.slow
@pytest.mark.parametrize("told", [True, False])
def test_details_where_display_names_are_not_known(told: bool) -> None:  # noqa: FBT001
    """A member may be called as the key of a property that a display name protects."""
    base = staff(hidden_because="403602")
    details = {"preview": {"salary": PAY}, "note": "x"}
    tells = ("datasetId", *UNTOLD) if told else UNTOLD
    with one(base, CHANGES, posts(), details=details, tells=tells) as orgvue:
        config = with_drafts(orgvue, exclude_properties=["Base Pay"], unmatched_patterns="warn")
        run = command(config)
        assert {*json.loads(run.records[DRAFTS][0]["details"])} == {"layers", "_links"}
        assert str(PAY).encode() not in everything(run)
        del config["exclude_properties"]
        (row,) = command(config).records[DRAFTS]
        assert json.loads(row["details"])["note"] == "x"


def test_details_with_a_key_that_holds_a_full_stop() -> None:
    """A pattern for one stream and a key such as `pay.rate` is taken apart at each full stop."""
    base = staff()
    base.add_property(Property("pay.rate", "number", name="Rate"))
    details = {"preview": {"pay.rate": PAY}}
    with one(base, CHANGES, details=details) as orgvue:
        run = command(with_drafts(orgvue, exclude_properties=["staff.pay.rate"]))
        assert json.loads(run.records[DRAFTS][0]["details"])["preview"] == {}


@pytest.mark.slow
def test_no_details_where_it_is_not_known_what_is_protected() -> None:
    """A server's error for the dataset's metadata: the draft is told, and nothing of it is sent."""
    base = staff()
    details = {"preview": {"salary": PAY}}
    with one(base, CHANGES, details=details) as orgvue:
        config = with_drafts(orgvue, exclude_properties=["Base Pay"])
        catalog = only(discover(config), DRAFTS)
        orgvue.answer(body=b"[]", on="metadata", times=None)
        run = command({**config, "drafts": [orgvue.draft("Plan").draft_id]}, catalog=catalog)
        assert run.code == 5
        assert run.records[DRAFTS] == []
        assert "'Plan'" in run.stderr.splitlines()[-1]
        assert str(PAY).encode() not in everything(run)


# --- hostile actions


def test_values_hidden_in_other_places() -> None:
    """Nested objects, near keys, keys in other case, and keys of no dataset are left out."""
    actions: list[dict[str, Any]] = [
        {"_action": "update", "_id": ITEM, "values": {"salary": PAY}},
        {"_action": "update", "_id": ITEM, "Salary": PAY, "salary ": PAY, "Base Pay": PAY},
        {"_action": "update", "_id": ITEM, "_salary": PAY, "": PAY, "staff.salary": PAY},
        {"_action": "update", "_id": {"salary": PAY}, "from_id": PAY, "to_id": PAY},
        {"_action": [PAY], "from_id": PAY, "to_id": PAY},
    ]
    with one(None, actions) as orgvue:
        run = only_actions(with_drafts(orgvue, exclude_properties=["salary"]))
        assert changes(run) == [{}] * 5
        rows = run.records[ACTIONS]
        assert {(row["from_id"], row["to_id"]) for row in rows} == {(None, None)}
        assert str(PAY).encode() not in everything(run)
        assert "'_id' (1)" in run.stderr


@pytest.mark.parametrize("name", ["salary", "BASE  p\u00aday"])
@pytest.mark.parametrize("setting", ["exclude_properties", "hash_properties", None])
def test_values_hidden_in_a_property_that_is_sent(name: str, setting: str | None) -> None:
    """A nested value is left out whole if a member is called as a property that is not sent."""
    actions: list[dict[str, Any]] = [
        {"_action": "update", "_id": ITEM, "team": {"a": [{name: PAY}]}, "id": [{"b": 1}]},
    ]
    with one(None, actions) as orgvue:
        config, catalog = with_drafts(orgvue, **HASH), None
        if setting:
            config[setting] = ["salary"]
        else:
            catalog = select(discover(config), "staff", "salary", selected=False)
        run = only_actions(config, catalog=catalog)
        if setting or name == "salary":
            assert changes(run) == [{"id": [{"b": 1}]}]
            assert str(PAY).encode() not in everything(run)
            assert "'team' (1)" in run.stderr


def test_a_key_twice_and_a_key_in_escapes() -> None:
    """However a protected key is written in JSON, it is that key."""
    text = (
        r'[{"_action":"update","_id":"x","sal\u0061ry":90125.5,"team":"A","salary":90125.5},'
        r'{"_action":"update","_id":"y","s\u0061lary":90125.5,"team":"\ud800"}]'
    )
    with one() as orgvue:
        orgvue.draft_answer = "array"
        orgvue.answer(body=text.encode(), on="draft_actions")
        run = only_actions(with_drafts(orgvue, exclude_properties=["salary"]))
        assert str(PAY).encode() not in everything(run)
        assert changes(run) == [{"team": "A"}, {"team": r"\ud800"}]


@pytest.mark.slow
def test_very_many_unknown_keys() -> None:
    """They are counted, and the log stays small."""
    actions = [{"_action": "update", "_id": ITEM, f"key {i}": f"hidden-{i}"} for i in range(3000)]
    with one(None, actions) as orgvue:
        run = only_actions(with_drafts(orgvue))
        assert b"hidden-" not in everything(run)
        assert "3000 values are left out" in run.stderr
        assert len(run.stderr) < 20_000


def test_errors_show_no_values() -> None:
    """A broken array is told without what it holds."""
    with one() as orgvue:
        orgvue.draft_answer = "array"
        body = b'[{"_action":"update","_id":"x","salary":90125.5},{"secret-key" 90125.5}]'
        orgvue.answer(body=body, on="draft_actions", times=None)
        run = command(with_drafts(orgvue, exclude_properties=["salary"], max_retries=0))
        assert run.code == 5
        assert b"90125.5" not in run.stderr.encode()
        assert b"secret-key" not in everything(run)


@pytest.mark.slow
def test_the_token_stays_with_the_api() -> None:
    """Neither tickets nor results are requested with it, nor is it shown."""
    with one() as orgvue:
        run = command(with_drafts(orgvue))
        assert run.code == 0
        files = [each for each in orgvue.requests if each.origin == "files"]
        assert files
        assert not any(each.header("Authorization") for each in files)
        assert str(orgvue.config["api_token"]) not in run.stdout + run.stderr
        assert "X-Amz" not in run.stderr


@pytest.mark.slow
def test_a_protection_outlives_its_draft() -> None:
    """What a draft's property was protected by is kept while no draft has it."""
    base = staff()
    other = posts()
    plans = Draft("Plan", CHANGES, base=base), Draft("Other", [{"_action": "create"}], base=other)
    with tenant([base, other], *plans) as orgvue:
        config = with_drafts(orgvue, exclude_properties=["Base Pay"])
        first = command(config)
        orgvue.tenant.remove_draft("Plan")
        second = command(config, state=first.state)
        protected = [
            run.state["bookmarks"][ACTIONS]["orgvue"]["protected"] for run in (first, second)
        ]
    ((pattern, key),) = protected[0]
    assert pattern == "Base Pay"
    assert key.startswith(base.dataset_id.upper())
    assert protected[1] == protected[0]


@pytest.mark.slow
def test_a_protection_that_was_taken_back_is_forgotten() -> None:
    """A pattern that is no setting any more is not kept."""
    with one() as orgvue:
        first = command(with_drafts(orgvue, exclude_properties=["Base Pay"]))
        second = command(with_drafts(orgvue), state=first.state)
    assert not second.state["bookmarks"][ACTIONS]["orgvue"].get("protected")


def test_an_id_is_left_out_where_it_is_not_known_whether_one_hashes_it() -> None:
    """The pattern names a stream, and the dataset has none whose properties are known."""
    with one(None, CHANGES, posts()) as orgvue:
        draft_id = orgvue.draft("Plan").draft_id
        orgvue.refuse("403602", on="metadata", dataset="Staff", times=None)
        config = with_drafts(
            orgvue, draft_id, datasets=["Posts"], hash_properties=["people._id"], **HASH
        )
        run = only_actions({**config, "unmatched_patterns": "warn"})
        assert {row["item_id"] for row in run.records[ACTIONS]} == {None}
