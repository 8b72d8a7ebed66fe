"""The streams `orgvue_drafts` and `orgvue_draft_actions`: what a user sets, and what is sent."""

from __future__ import annotations

import json
import logging
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.exports.action_jobs import ActionRows
from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.records.action_maker import elements_of
from tap_orgvue.settings import SettingsError
from tap_orgvue.simulator import Draft, Orgvue, many_actions
from tests.support.datasets import people
from tests.support.drafts import (
    ACTIONS,
    CHANGES,
    DRAFTS,
    ITEM,
    PAY,
    SECRET,
    changes,
    links,
    posts,
    staff,
    tenant,
    with_drafts,
)
from tests.support.runs import command, discover, entry, only, select, sync
from tests.support.schemas import assert_satisfied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def orgvue() -> Iterator[Orgvue]:
    """Staff, posts and links, with two drafts of staff and one of links."""
    base = staff()
    between = links()
    drafts = [
        Draft("Hiring plan", CHANGES, base=base, layers={"later": CHANGES[:1]}),
        Draft("Reorganisation", CHANGES[2:], base=base, details={"owner": "Zoë", "share": 0.5}),
        Draft(
            "Moves",
            [
                {"_action": "create", "from_id": 1, "to_id": "9", "share": 0.5},
                {"_action": "delete", "from_id": "1", "to_id": "9"},
                {"_action": "update", "_id": ITEM, "from_id": "1", "to_id": "8"},
            ],
            base=between,
        ),
    ]
    with tenant([base, posts(), between], *drafts) as served:
        yield served


def draft_requests(orgvue: Orgvue) -> list[str]:
    """The requests about drafts."""
    routes = [request.route for request in orgvue.requests]
    return [route for route in routes if route in {"drafts", "draft_actions"}]


# --- with and without the setting


@pytest.mark.slow
def test_without_the_setting_nothing_is_there(orgvue: Orgvue) -> None:
    """No stream is discovered, nothing is requested, not even by `--test`."""
    run = command(orgvue.config)
    assert run.code == 0
    assert not {DRAFTS, ACTIONS} & {*run.schemas}
    names = [found["tap_stream_id"] for found in discover(orgvue.config)["streams"]]
    assert not {DRAFTS, ACTIONS} & {*names}
    assert command(orgvue.config, "--test").code == 0
    assert draft_requests(orgvue) == []


def test_discovery_requests_no_draft(orgvue: Orgvue) -> None:
    """With the setting both streams are in the catalog, selected, with keys and descriptions."""
    catalog = discover(with_drafts(orgvue))
    assert draft_requests(orgvue) == []
    keys = {DRAFTS: ["draft_id"], ACTIONS: ["draft_id", "layer_key", "position"]}
    for name, key in keys.items():
        found = entry(catalog, name)
        assert found["key_properties"] == key
        assert found["metadata"][-1]["metadata"].get("selected", True)
        assert all(each["description"] for each in found["schema"]["properties"].values())
    assert [*entry(catalog, DRAFTS)["schema"]["properties"]] == [
        *("draft_id", "name", "dataset_id", "details")
    ]
    assert [*entry(catalog, ACTIONS)["schema"]["properties"]] == [
        *("draft_id", "layer_key", "position", "action", "item_id", "from_id", "to_id"),
        *("changes", "exported_at"),
    ]


# --- what is sent


@pytest.mark.slow
def test_a_row_per_draft(orgvue: Orgvue) -> None:
    """Id, name, base dataset, and everything else that the list says."""
    run = sync(with_drafts(orgvue))
    plan, reorganisation, moves = run.records[DRAFTS]
    assert plan["draft_id"] == orgvue.draft("Hiring plan").draft_id
    assert plan["name"] == "Hiring plan"
    assert plan["dataset_id"] == moves["dataset_id"].replace(links().dataset_id, staff().dataset_id)
    details = json.loads(reorganisation["details"])
    assert (details["owner"], details["share"]) == ("Zoë", 0.5)
    assert details["layers"] == [{"layerKey": "default"}]
    assert_satisfied(run)


def test_a_row_per_change(orgvue: Orgvue) -> None:
    """Layer, position, action, ids, and the other properties; links have both ends."""
    run = sync(with_drafts(orgvue))
    rows = run.records[ACTIONS]
    draft_id = orgvue.draft("Hiring plan").draft_id
    plan = [row for row in rows if row["draft_id"] == draft_id]
    assert [(row["layer_key"], row["position"], row["action"]) for row in plan] == [
        ("default", 1, "update"),
        ("default", 2, "create"),
        ("default", 3, "delete"),
        ("later", 1, "update"),
    ]
    assert [row["item_id"] for row in plan] == [ITEM, None, ITEM, ITEM]
    assert [json.loads(row["changes"]) for row in plan[:3]] == [
        {"salary": PAY, "team": "Sales"},
        {"id": "3", "full name": SECRET, "salary": PAY, "team": "Data"},
        {},
    ]
    moves = rows[-3:]
    assert [(row["item_id"], row["from_id"], row["to_id"]) for row in moves] == [
        (None, "1", "9"),
        (None, "1", "9"),
        (ITEM, "1", "8"),
    ]
    assert [row["changes"] for row in moves] == ['{"share":0.5}', "{}", "{}"]
    assert all(row["exported_at"].endswith("Z") for row in rows)
    assert run.schemas[ACTIONS]["key_properties"] == ["draft_id", "layer_key", "position"]
    assert_satisfied(run)


def test_changes_are_as_they_came(orgvue: Orgvue) -> None:
    """Numbers keep all digits, texts their escapes, nested values their form."""
    text = (
        r'[{"_action":"update","_id":"x","salary":12345678901234567890.10,"team":"caf\u00e9\n"},'
        r'{"_action":"update","_id":"y","team":{"b":[1e400,1.0], "a":"},{"},"salary":1E2}]'
    )
    orgvue.draft_answer = "array"
    orgvue.answer(
        body=text.encode(), on="draft_actions", draft="Reorganisation", headers={"X-A": "b"}
    )
    run = sync(with_drafts(orgvue, "Reorganisation"))
    assert [record["changes"] for record in run.records[ACTIONS]] == [
        r'{"salary":12345678901234567890.10,"team":"caf\u00e9\n"}',
        r'{"team":{"b":[1e400,1.0], "a":"},{"},"salary":1E2}',
    ]


@pytest.mark.parametrize("answer", ["ticket", "completed", "array"])
def test_however_orgvue_answers(orgvue: Orgvue, answer: Any) -> None:
    """A job ticket, a completed one and the array itself give the same rows."""
    orgvue.draft_answer = answer
    run = sync(with_drafts(orgvue, "Hiring*"))
    assert [row["position"] for row in run.records[ACTIONS]] == [1, 2, 3, 1]


def test_one_layer_a_request(orgvue: Orgvue) -> None:
    """Each request names one layer: a response does not tell to which an action belongs."""
    sync(with_drafts(orgvue))
    bodies = [each.body for each in orgvue.requests if each.route == "draft_actions"]
    layers = [body["layers"] for body in bodies if isinstance(body, dict)]
    assert len(layers) == 4
    assert all(len(each) == 1 for each in layers)
    assert all([*each[0]] == ["draftId", "layerKey"] for each in layers)


# --- which drafts


def test_drafts_by_name_and_by_id(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """Patterns over names in any case, and ids; what matches nothing is told."""
    plan = orgvue.draft("Hiring plan")
    run = sync(with_drafts(orgvue, plan.draft_id.lower(), "reorg*", "nothing", "*z"))
    assert [row["name"] for row in run.records[DRAFTS]] == ["Hiring plan", "Reorganisation"]
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert [line for line in told if "matches" in line] == [
        "drafts: no draft's id or name matches 'nothing'.",
        "drafts: no draft's id or name matches '*z'.",
    ]


def test_only_what_matches_is_requested(orgvue: Orgvue) -> None:
    """The actions of other drafts are never requested."""
    sync(with_drafts(orgvue, "Moves"))
    moves = (orgvue.draft("Moves").draft_id,)
    named = {each.draft_ids for each in orgvue.requests if each.route == "draft_actions"}
    assert named == {moves}


def test_one_stream_of_both(orgvue: Orgvue) -> None:
    """Without the actions selected, only the list is requested."""
    config = with_drafts(orgvue)
    run = sync(config, only(discover(config), DRAFTS, "staff", "posts", "staff_to_posts"))
    assert len(run.records[DRAFTS]) == 3
    assert draft_requests(orgvue) == ["drafts"]


@pytest.mark.slow
def test_a_list_in_pages(orgvue: Orgvue) -> None:
    """Next links are followed."""
    orgvue.page_rows = 1
    run = sync(with_drafts(orgvue), discover(with_drafts(orgvue)))
    assert len(run.records[DRAFTS]) == 3


@pytest.mark.slow
def test_hundreds_of_drafts() -> None:
    """Each is requested, several at once, and their rows stand in the order of the list."""
    base = staff()
    drafts = [
        Draft(f"D{number}", [{"_action": "update", "_id": ITEM, "team": f"T{number}"}], base=base)
        for number in range(200)
    ]
    with tenant([base], *drafts) as orgvue:
        orgvue.draft_answer = "completed"
        orgvue.seconds_of = {"draft_actions": 0.01}
        run = sync(with_drafts(orgvue, max_parallel_requests=8))
        assert changes(run) == [{"team": f"T{number}"} for number in range(200)]
        assert orgvue.most_at_once > 1
        assert orgvue.most_at_once <= 8


def test_actions_are_fetched_before_their_turn(orgvue: Orgvue) -> None:
    """While one draft waits for Orgvue, others are requested."""
    orgvue.seconds_of = {"draft_actions": 0.2}
    sync(with_drafts(orgvue))
    assert orgvue.most_at_once >= 4


@pytest.mark.slow
def test_a_huge_draft() -> None:
    """Each action is a row, in order, over many blocks."""
    base = people(20)
    with tenant([base], Draft("Huge", many_actions(20_000, base), base=base)) as orgvue:
        run = sync(with_drafts(orgvue))
        assert [row["position"] for row in run.records[ACTIONS]] == [*range(1, 20_001)]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_actions() -> None:
    """A few of the actions are held at a time."""
    action = b'{"_action":"update","_id":"x","team":"%b"}' % (b"y" * 200)

    def chunks() -> Iterator[bytes]:
        yield b"[" + action
        for _ in range(50_000):
            yield b"," + action
        yield b"]"

    tracemalloc.start()
    try:
        count = sum(len(block) for block in ActionRows(chunks()).blocks(elements_of))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 50_001
    assert peak < 2_000_000


# --- what is odd


def test_an_empty_draft(orgvue: Orgvue) -> None:
    """It has a row in the list, and no actions."""
    orgvue.draft("Hiring plan").clear()
    run = sync(with_drafts(orgvue, "Hiring plan"))
    assert len(run.records[DRAFTS]) == 1
    assert run.records[ACTIONS] == []


def test_unknown_words_and_shapes(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown word is sent as it is and counted; a word that is no text is not sent."""
    orgvue.draft("Reorganisation").actions = [
        {"_action": "merge", "_id": "x"},
        {"_action": {"salary": PAY}, "_id": "y"},
        {"_id": "z", "team": "A"},
        {},
    ]
    run = sync(with_drafts(orgvue, "Reorganisation"))
    rows = run.records[ACTIONS]
    assert [row["action"] for row in rows] == ["merge", None, None, None]
    assert [row["item_id"] for row in rows] == ["x", "y", "z", None]
    assert "4 changes have an action" in caplog.text
    assert not any("salary" in str(value) for row in rows for value in row.values())


@pytest.mark.slow
def test_a_layer_without_any_action_fails_the_stream(orgvue: Orgvue) -> None:
    """An array of something else is sent as far as is safe, and removes no rows."""
    something: list[Any] = [{"layerKey": "default", "actions": CHANGES}]
    orgvue.draft("Reorganisation").actions = something
    run = command(with_drafts(orgvue, emit_activate_version_messages=True))
    assert run.code == 5
    assert len(run.records[ACTIONS]) == 8
    assert "none of its 1 changes has an action" in run.stderr.splitlines()[-1]
    assert run.records[ACTIONS][4]["changes"] == "{}"
    assert ACTIONS not in {message["stream"] for message in run.of_type("ACTIVATE_VERSION")}


@pytest.mark.slow
def test_an_action_that_is_no_object_fails_the_stream(orgvue: Orgvue) -> None:
    """All others are sent; then the stream fails, without the value in any word."""
    strange: list[Any] = [CHANGES[0], "hidden-value", None, 7, [CHANGES[0]], CHANGES[2]]
    orgvue.draft("Reorganisation").actions = strange
    config = with_drafts(orgvue, emit_activate_version_messages=True)
    run = command(config)
    assert run.code == 5
    wanted = orgvue.draft("Reorganisation").draft_id
    rows = [row for row in run.records[ACTIONS] if row["draft_id"] == wanted]
    assert [row["position"] for row in rows] == [1, 6]
    last = run.stderr.splitlines()[-1]
    assert "'Reorganisation'" in last
    assert "not an object (position 2); and 3 more" in last
    assert "hidden-value" not in run.stdout + run.stderr
    activated = {message["stream"] for message in run.of_type("ACTIVATE_VERSION")}
    assert ACTIONS not in activated
    assert DRAFTS in activated


def test_nul_characters_and_halves_of_characters(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """What no database stores is removed or escaped, wherever it stands."""
    text = (
        r'[{"_action":"up\u0000date","_id":"a\u0000b","team":"x\u0000y","salary":1.10},'
        r'{"_action":"update","_id":"\ud800","team":"a\udc00","salary":1.10},'
        r'{"_action":"update","_id":"c","team":"\ud83d\ude00","salary":NaN}]'
    )
    orgvue.draft_answer = "array"
    orgvue.answer(body=text.encode(), on="draft_actions", draft="Reorganisation")
    run = sync(with_drafts(orgvue, "Reorganisation"))
    rows = run.records[ACTIONS]
    assert [row["action"] for row in rows] == ["update"] * 3
    assert [row["item_id"] for row in rows] == ["ab", r"\ud800", "c"]
    assert [row["changes"] for row in rows] == [
        '{"team":"xy","salary":1.10}',
        r'{"team":"a\\udc00","salary":1.10}',
        '{"team":"😀","salary":"NaN"}',
    ]
    assert "3 NUL characters" in caplog.text


@pytest.mark.slow
def test_a_layer_key_that_no_database_stores(orgvue: Orgvue) -> None:
    """A NUL character in it is removed, as everywhere else in the list."""
    entry = {"draftId": orgvue.draft("Reorganisation").draft_id, "layers": ["def\0ault"]}
    orgvue.answer(json=[entry], on="drafts")
    run = sync(with_drafts(orgvue))
    assert {row["layer_key"] for row in run.records[ACTIONS]} == {"default"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        b"7",
        b'{"actions":[]}',
        b"<html>",
        b'[{"_action":"update"',
        b"",
        b'{"errors":[{"code":"x"}]}',
    ],
)
def test_an_answer_that_is_neither_ticket_nor_array(orgvue: Orgvue, body: bytes) -> None:
    """The draft is told as unreadable; the others are sent."""
    orgvue.answer(body=body, on="draft_actions", draft="Reorganisation", times=None)
    run = command(with_drafts(orgvue, max_retries=0))
    assert run.code == 5
    assert len(run.records[ACTIONS]) == 7
    assert "'Reorganisation'" in run.stderr.splitlines()[-1]
    assert len(run.records["staff"]) == 1


def test_a_presigned_url_without_a_status(orgvue: Orgvue) -> None:
    """A response with nothing but the actions' URL is followed, without the token."""
    orgvue.draft_answer = "completed"
    orgvue.amend(on="draft_actions", remove=["jobStatus"], times=None)
    run = sync(with_drafts(orgvue, "Hiring*"))
    assert len(run.records[ACTIONS]) == 4
    downloads = [each for each in orgvue.requests if each.route == "result"]
    assert len(downloads) == 2
    assert not any(each.header("Authorization") for each in downloads)


def test_no_content_is_an_empty_draft(orgvue: Orgvue) -> None:
    """A response without content, by its status, tells of no changes."""
    orgvue.answer(status=204, on="draft_actions", draft="Moves", times=None)
    run = sync(with_drafts(orgvue, "Moves"))
    assert run.records[ACTIONS] == []


@pytest.mark.slow
def test_the_list_tells_ids_only(orgvue: Orgvue) -> None:
    """A list of texts, or of objects with nothing but an id, will do."""
    moves = orgvue.draft("Moves")
    orgvue.answer(json=[moves.draft_id], on="drafts")
    run = sync(with_drafts(orgvue, moves.draft_id))
    assert run.records[DRAFTS] == [
        {"draft_id": moves.draft_id, "name": "", "dataset_id": None, "details": "{}"}
    ]
    assert len(run.records[ACTIONS]) == 3


@pytest.mark.slow
def test_entries_without_an_id_fail_both_streams_at_their_end(orgvue: Orgvue) -> None:
    """What can be read is sent, and no row is removed."""
    orgvue.amend(on="drafts", entry="Moves", to={"name": "lost"}, times=None)
    run = command(with_drafts(orgvue, emit_activate_version_messages=True))
    assert run.code == 5
    assert "2 of 5 streams failed" in run.stderr
    assert (len(run.records[DRAFTS]), len(run.records[ACTIONS])) == (2, 5)
    activated = {message["stream"] for message in run.of_type("ACTIVATE_VERSION")}
    assert not activated & {DRAFTS, ACTIONS}


@pytest.mark.slow
@pytest.mark.parametrize("layers", [3, {"default": {}}, [{"layerKey": "default"}, 7], [{"n": "x"}]])
def test_layers_in_an_unknown_form(orgvue: Orgvue, layers: object) -> None:
    """The layer that every draft has is sent; the stream fails, since others may exist."""
    orgvue.amend(on="drafts", entry="Hiring plan", put={"layers": layers}, times=None)
    run = command(with_drafts(orgvue, "Hiring plan"))
    assert run.code == 5
    assert [row["layer_key"] for row in run.records[ACTIONS]] == ["default"] * 3
    assert "layer" in run.stderr.splitlines()[-1]
    assert len(run.records[DRAFTS]) == 1


# --- what cannot be read


@pytest.mark.parametrize(
    "reason,code",
    [
        *((reason, 3) for reason in ("403602", 404, "40303", "40302", 401, 301, "400602")),
        *((reason, 5) for reason in ("500601", "42902")),
    ],
)
def test_a_list_that_cannot_be_read_fails_both_streams_alone(
    orgvue: Orgvue, reason: Any, code: int
) -> None:
    """Whatever Orgvue's reason, all datasets are sent; the exit code says if a retry may help."""
    orgvue.refuse(reason, on="drafts", times=None)
    run = command(with_drafts(orgvue, max_retries=1))
    assert run.code == code
    assert [len(run.records[name]) for name in ("staff", "posts", "staff_to_posts")] == [1, 1, 1]
    assert "2 of 5 streams failed" in run.stderr
    assert run.records[DRAFTS] == run.records[ACTIONS] == []
    assert "/drafts" in run.stderr.splitlines()[-1]
    assert "orgvue" not in run.state["bookmarks"].get(ACTIONS, {})


@pytest.mark.slow
def test_a_server_without_drafts(orgvue: Orgvue) -> None:
    """The words say that the setting can be removed."""
    orgvue.drafts = False
    run = command(with_drafts(orgvue))
    assert run.code == 3
    assert "remove the setting `drafts`" in run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("reason,code", [("403602", 3), ("500601", 5), ("40303", 3)])
def test_a_draft_that_cannot_be_read_fails_its_stream(
    orgvue: Orgvue, reason: str, code: int
) -> None:
    """The other drafts are sent, and no row is removed from the table."""
    orgvue.refuse(reason, on="draft_actions", draft="Moves", times=None)
    run = command(with_drafts(orgvue, max_retries=0, emit_activate_version_messages=True))
    assert run.code == code
    assert len(run.records[ACTIONS]) == 5
    assert len(run.records[DRAFTS]) == 3
    last = run.stderr.splitlines()[-1]
    assert ACTIONS in last
    assert "'Moves'" in last
    activated = {message["stream"] for message in run.of_type("ACTIVATE_VERSION")}
    assert activated == {DRAFTS, "staff", "posts", "staff_to_posts"}


@pytest.mark.slow
def test_a_draft_that_was_deleted_after_it_was_listed(orgvue: Orgvue, tmp_path: Path) -> None:
    """The others are sent, the error says what may be, and the report has the requests."""
    orgvue.refuse(404, on="draft_actions", draft="Moves", times=None)
    config = with_drafts(orgvue, run_report=str(tmp_path))
    run = command(config)
    assert run.code == 3
    assert len(run.records[ACTIONS]) == 5
    assert "deleted after it was listed" in run.stderr.splitlines()[-1]
    (file,) = tmp_path.glob("*.json")
    (told,) = (s for s in json.loads(file.read_text())["streams"] if s["stream"] == ACTIONS)
    assert (told["requests"]["actions"], told["requests"]["download"]) == (4, 3)
    assert told["rows"] == 5


@pytest.mark.slow
@pytest.mark.parametrize("reason,code,most", [("500601", 5, 20), ("403602", 3, 110)])
def test_drafts_that_fail_alike_are_not_all_requested(reason: str, code: int, most: int) -> None:
    """A server without the endpoint is not asked a thousand times."""
    base = staff()
    drafts = [Draft(f"D{number}", base=base) for number in range(200)]
    with tenant([base], *drafts) as orgvue:
        orgvue.refuse(reason, on="draft_actions", times=None)
        run = command(with_drafts(orgvue, max_parallel_requests=2, max_retries=0))
        assert run.code == code
        assert "No other draft was requested" in run.stderr
        assert draft_requests(orgvue).count("draft_actions") < most


@pytest.mark.slow
def test_a_draft_behind_many_that_may_not_be_read() -> None:
    """Drafts of other users, which the token's user may not read, hide none."""
    base = staff()
    drafts = [Draft(f"D{number}", hidden_because="403602") for number in range(20)]
    with tenant([base], *drafts, Draft("Plan", CHANGES, base=base)) as orgvue:
        run = command(with_drafts(orgvue))
        assert run.code == 3
        assert len(run.records[ACTIONS]) == 3


@pytest.mark.slow
def test_jobs_are_retried_as_those_of_exports(orgvue: Orgvue) -> None:
    """A job that fails, an expired result and a broken download are requested again."""
    orgvue.plan_job("failed", draft="Hiring plan")
    orgvue.expire_results = 1
    orgvue.hang_up(on="result", after=10)
    run = sync(with_drafts(orgvue))
    assert len(run.records[ACTIONS]) == 8


def test_the_users_own_limit_of_requests_ends_the_run(orgvue: Orgvue) -> None:
    """The limit counts requests about drafts, too."""
    with pytest.raises(OrgvueError, match="max_requests_per_run"):
        sync(with_drafts(orgvue, max_requests_per_run=6))


# --- removal of rows


def versions(config: dict[str, Any], state: dict[str, Any] | None = None) -> Any:
    """Run once; the streams whose version is activated, and the run."""
    run = command(config, state=state)
    assert run.code == 0, run.stderr
    return {message["stream"] for message in run.of_type("ACTIVATE_VERSION")}, run


@pytest.mark.slow
def test_a_cleared_draft_disappears(orgvue: Orgvue) -> None:
    """The version is activated after the rows; a sudden loss of most rows is withheld."""
    config = with_drafts(orgvue, emit_activate_version_messages=True)
    activated, run = versions(config)
    assert {DRAFTS, ACTIONS} <= activated
    kinds = [m["type"] for m in run.messages if m.get("stream") == ACTIONS]
    assert kinds == ["SCHEMA", *["RECORD"] * 8, "ACTIVATE_VERSION"]
    orgvue.tenant.remove_draft("Reorganisation")
    activated, run = versions(config, run.state)
    assert {DRAFTS, ACTIONS} <= activated
    assert len(run.records[ACTIONS]) == 7
    orgvue.draft("Hiring plan").clear()
    orgvue.tenant.remove_draft("Moves")
    activated, run = versions(config, run.state)
    assert ACTIONS not in activated
    assert "NOT removed" in run.stderr
    activated, run = versions({**config, "delete_guard_percent": 0}, run.state)
    assert {DRAFTS, ACTIONS} <= activated
    numbers = {m["version"] for m in run.messages if m.get("stream") == ACTIONS and "version" in m}
    assert len(numbers) == 1


@pytest.mark.slow
def test_a_misspelt_name_empties_no_table(orgvue: Orgvue) -> None:
    """Without any draft to send, no row is removed, whatever the state knows."""
    config = with_drafts(orgvue, "Hirign*", emit_activate_version_messages=True)
    activated, first = versions(config)
    assert activated == {"staff", "posts", "staff_to_posts"}
    activated, run = versions({**config, "drafts": ["*"]}, first.state)
    assert {DRAFTS, ACTIONS} <= activated
    activated, run = versions(config, run.state)
    assert not activated & {DRAFTS, ACTIONS}
    lines = [line for line in run.stderr.splitlines() if "NOT removed" in line]
    assert ["ERROR" in line for line in lines] == [True, True]
    activated, _ = versions({**config, "delete_guard_percent": 0}, run.state)
    assert {DRAFTS, ACTIONS} <= activated


@pytest.mark.slow
def test_a_run_of_some_datasets_removes_nothing(orgvue: Orgvue) -> None:
    """`datasets` narrows the run: another run may send the drafts of other datasets."""
    config = with_drafts(orgvue, emit_activate_version_messages=True, datasets=["Staff"])
    activated, run = versions(config)
    assert activated == {"staff"}
    assert len(run.records[ACTIONS]) == 5


@pytest.mark.slow
def test_a_stream_map_that_filters_removes_nothing(orgvue: Orgvue) -> None:
    """Rows that a map drops are still in Orgvue."""
    maps = {ACTIONS: {"__filter__": "action == 'create'", "changes": None}}
    config = with_drafts(orgvue, emit_activate_version_messages=True, stream_maps=maps)
    activated, run = versions(config)
    assert ACTIONS not in activated
    assert len(run.records[ACTIONS]) == 2
    assert "changes" not in run.records[ACTIONS][0]


# --- the SDK's capabilities


@pytest.mark.slow
def test_batches_hold_the_same_records(orgvue: Orgvue, tmp_path: Path) -> None:
    """BATCH files hold the records, with the version that the message activates."""
    config = with_drafts(orgvue, emit_activate_version_messages=True)
    plain = sync(config)
    batches = {
        "encoding": {"format": "jsonl", "compression": "none"},
        "storage": {"root": tmp_path.as_uri()},
        "batch_size": 3,
    }
    run = sync({**config, "batch_config": batches})
    found = []
    for message in run.of_type("BATCH"):
        if message["stream"] == ACTIONS:
            for url in message["manifest"]:
                name = url.rpartition("/")[2]
                lines = (tmp_path / name).read_text(encoding="utf-8").split("\n")
                found += [json.loads(line) for line in lines if line]
    for record in (*found, *plain.records[ACTIONS]):
        record.pop("exported_at")
    assert [{k: v for k, v in row.items() if k[:5] != "_sdc_"} for row in found] == plain.records[
        ACTIONS
    ]
    (activated,) = (m for m in run.of_type("ACTIVATE_VERSION") if m["stream"] == ACTIONS)
    assert {row["_sdc_table_version"] for row in found} == {activated["version"]}


def test_columns_can_be_deselected(orgvue: Orgvue) -> None:
    """A deselected column of the stream is not sent; its key is."""
    config = with_drafts(orgvue)
    catalog = select(discover(config), ACTIONS, "changes", "draft_id", selected=False)
    run = sync(config, catalog)
    assert {*run.records[ACTIONS][0]} == {
        *("draft_id", "layer_key", "position", "action", "item_id", "from_id", "to_id"),
        "exported_at",
    }


@pytest.mark.slow
def test_flattening_changes_nothing(orgvue: Orgvue) -> None:
    """No column is an object."""
    settings = {"flattening_enabled": True, "flattening_max_depth": 3}
    rows = sync(with_drafts(orgvue, **settings)).records[ACTIONS]
    assert {*rows[0]} >= {"changes", "item_id"}
    assert len(rows) == 8


# --- what is refused in words


@pytest.mark.parametrize(
    "setting,value",
    [
        ("filters", {ACTIONS: {"team": "A"}}),
        ("filters", {DRAFTS: {"name": "A"}}),
        ("linking_relationships", {ACTIONS: ["36A1B000-0000-4000-8000-000000000000"]}),
        ("property_names", {ACTIONS: {"salary": "pay"}}),
    ],
)
def test_settings_for_these_streams_are_refused(orgvue: Orgvue, setting: str, value: Any) -> None:
    """A filter of drafts would not be applied: it is a mistake, not ignored."""
    with pytest.raises(SettingsError) as caught:
        discover(with_drafts(orgvue, **{setting: value}))
    assert setting in str(caught.value)
    assert "is not possible for 'orgvue_draft" in str(caught.value)


def test_incremental_replication_is_refused(orgvue: Orgvue) -> None:
    """A catalog that asks for it is wrong."""
    config = with_drafts(orgvue)
    catalog = select(
        discover(config),
        ACTIONS,
        replication_method="INCREMENTAL",
        replication_key="exported_at",
    )
    run = command(config, catalog=catalog)
    assert run.code == 3
    assert f"stream '{ACTIONS}': it is always a full table" in run.stderr
    assert run.stdout == ""


@pytest.mark.slow
def test_skip_unchanged_is_refused_in_words(orgvue: Orgvue) -> None:
    """Datasets follow it, drafts are read again, and the log says so."""
    config = with_drafts(orgvue, skip_unchanged=True)
    first = command(config)
    second = command(config, state=first.state)
    assert "staff" not in second.records
    assert second.records[ACTIONS]
    (line,) = (line for line in second.stderr.splitlines() if "skip_unchanged" in line)
    assert ACTIONS in line


# --- catalogs and names


@pytest.mark.slow
def test_a_catalog_without_the_setting(orgvue: Orgvue) -> None:
    """Streams of drafts in a catalog send nothing once the setting is gone, and the log says so."""
    config = with_drafts(orgvue, emit_activate_version_messages=True)
    catalog = discover(config)
    first = command(config, catalog=catalog)
    del config["drafts"]
    count = len(draft_requests(orgvue))
    run = command(config, catalog=catalog, state=first.state)
    assert run.code == 0
    assert not {DRAFTS, ACTIONS} & {message.get("stream") for message in run.messages}
    assert f"Stream '{ACTIONS}' is selected, but `drafts` is not set" in run.stderr
    assert len(draft_requests(orgvue)) == count
    assert run.state["bookmarks"][ACTIONS] == first.state["bookmarks"][ACTIONS]


def test_the_setting_without_streams_in_the_catalog(orgvue: Orgvue) -> None:
    """A catalog of before sends no drafts; the log says what to do."""
    run = command(with_drafts(orgvue), catalog=discover(orgvue.config))
    assert run.code == 0
    assert "the catalog has no streams of drafts" in run.stderr
    assert draft_requests(orgvue) == []


def test_datasets_of_the_same_name() -> None:
    """A dataset that is called like a stream of drafts has another name in any case."""
    with tenant([people(2, "Orgvue Drafts")], Draft("A")) as orgvue:
        for config in (orgvue.config, with_drafts(orgvue)):
            (name,) = (
                found["tap_stream_id"]
                for found in discover(config)["streams"]
                if found.get("table_name")
            )
            assert name.startswith("orgvue_drafts_")


def test_a_dataset_that_had_the_name_before() -> None:
    """A stream of an earlier run keeps its name; the setting says that both cannot be."""
    dataset = people(2, "Orgvue Drafts")
    with tenant([dataset], Draft("A")) as orgvue:
        catalog = discover(orgvue.config)
        (found,) = (each for each in catalog["streams"] if each.get("table_name"))
        found["tap_stream_id"] = found["stream"] = DRAFTS
        run = sync(orgvue.config, catalog)
        assert len(run.records[DRAFTS]) == 2
        with pytest.raises(SettingsError, match="Give the dataset another name"):
            sync(with_drafts(orgvue), catalog)
