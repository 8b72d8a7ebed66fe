"""Columns that are left out or hashed: across datasets, before anything is kept or sent."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.settings import SettingsError
from tap_orgvue.simulator import Dataset, Property
from tests.support.runs import Run, command, discover, rescued, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

KEY = "a key of more than sixteen characters"
SECRET = "Ada-Secret-Lovelace"


def hashed(text: str) -> str:
    """What a value is sent as."""
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def two(serve: Callable[..., Orgvue]) -> Orgvue:
    """Two datasets that name the same people, one of them with a number as text."""
    return serve(
        Dataset(
            "People",
            properties=[
                Property("id", auto_id=True),
                Property("full name", name="Person"),
                Property("number", "number"),
                Property("salary", "number", name="Base Pay"),
            ],
            rows=[
                {"id": "1", "full name": SECRET, "number": 7, "salary": 90125.5},
                {"id": "2", "full name": None, "number": 8.0, "salary": "much-too-much"},
            ],
        ),
        Dataset(
            "Positions",
            type="POSITIONS",
            properties=[Property("id", auto_id=True), Property("full name"), Property("number")],
            rows=[{"id": "9", "full name": SECRET, "number": "7"}],
        ),
    )


def asked(orgvue: Orgvue) -> str:
    """All that Orgvue was asked for rows, letter by letter."""
    return "\n".join(request.raw.decode() for request in orgvue.requests)


def test_an_excluded_property_is_never_asked_for(two: Orgvue) -> None:
    """What is excluded is in no request, no schema, no record; all else is as before."""
    config = {**two.config, "exclude_properties": ["full name", "people.salary"]}
    run = sync(config)
    assert set(run.records["people"][0]) == {
        *("_id", "id", "number", "_modified_at", "_rescued_data"),
    }
    assert "full_name" not in run.schemas["positions"]["schema"]["properties"]
    assert "full name" not in asked(two)
    assert "salary" not in asked(two)
    assert SECRET not in run.stdout
    assert all(request.method == "POST" for request in two.requests_to("export"))


@pytest.mark.parametrize(
    "pattern", ["salary", "SALARY", "sal*", "Base Pay", "base*", "people.salary", "people.*al?ry"]
)
def test_how_a_property_is_named(two: Orgvue, pattern: str) -> None:
    """Patterns know * and ?, in any case, over keys, display names and stream.key."""
    run = sync({**two.config, "exclude_properties": [pattern]})
    assert "salary" not in run.records["people"][0]
    assert "full_name" in run.records["people"][0]


@pytest.mark.parametrize("pattern", ["Bonus [GBP]*", "bonus\u00a0[gbp]", " BONUS [GBP] "])
def test_only_stars_and_question_marks_are_wildcards(
    serve: Callable[..., Orgvue], pattern: str
) -> None:
    """A bracket in a pattern is a bracket; blanks of any kind are alike."""
    properties = [Property("Bonus [GBP]", "number"), Property("Bonus G", "number")]
    rows = [{"Bonus [GBP]": 90125.5, "Bonus G": 1}]
    orgvue = serve(Dataset("People", properties=properties, rows=rows))
    run = sync({**orgvue.config, "exclude_properties": [pattern]})
    assert [record["bonus_g"] for record in run.records["people"]] == [1]
    assert "90125" not in run.stdout
    assert "GBP" not in asked(orgvue)


@pytest.mark.parametrize("pattern", ["Base Pay", "Compensation"])
def test_a_renamed_property_stays_protected(two: Orgvue, pattern: str) -> None:
    """A display name of the catalog protects a property, and so does the one that it has now."""
    catalog = discover(two.config)
    two.dataset("People").replace_property(
        "salary", Property("salary", "number", name="Compensation")
    )
    config = {**two.config, "unmatched_patterns": "warn"}
    run = sync({**config, "exclude_properties": [pattern]}, catalog)
    assert "salary" not in run.records["people"][0]
    hashing = {**config, "hash_properties": [pattern], "hash_key": KEY}
    assert sync(hashing, catalog).records["people"][0]["salary"] == hashed("90125.5")


def test_a_pattern_of_another_stream(two: Orgvue) -> None:
    """A pattern that names a stream concerns that stream alone."""
    run = sync({**two.config, "exclude_properties": ["positions.full name"]})
    assert "full_name" in run.records["people"][0]
    assert "full_name" not in run.records["positions"][0]


@pytest.mark.parametrize("mode", ["sync", "async", "paged"])
def test_excluded_in_every_mode(two: Orgvue, mode: str) -> None:
    """Whichever way an export is fetched, what is excluded is not asked for."""
    config = {**two.config, "exclude_properties": ["full name"], "export_mode": mode}
    run = sync(config)
    assert len(run.records["people"]) == 2
    assert "full name" not in asked(two)
    assert SECRET not in run.stdout


def test_items_without_what_is_excluded(two: Orgvue) -> None:
    """Items cannot be asked for in parts: what is excluded does not leave the tap."""
    config = {**two.config, "exclude_properties": ["full name"], "include_calculations": False}
    run = sync(config)
    assert len(run.records["people"]) == 2
    assert SECRET not in run.stdout


@pytest.mark.parametrize("new", ["add", "rescue", "ignore"])
def test_a_new_property_that_is_excluded(two: Orgvue, new: str) -> None:
    """A property that came after the catalog, and is excluded, is neither added nor rescued."""
    config = {**two.config, "exclude_properties": ["ssn"], "new_properties": new}
    config["unmatched_patterns"] = "warn"
    catalog = discover(config)
    two.dataset("People").add_property(Property("ssn"), [SECRET + "1", SECRET + "2"])
    run = sync(config, catalog)
    assert len(run.records["people"]) == 2
    assert SECRET + "1" not in run.stdout


def test_excluded_after_discovery(two: Orgvue) -> None:
    """A catalog from before the setting does not bring an excluded property back."""
    catalog = discover(two.config)
    run = sync({**two.config, "exclude_properties": ["full name"]}, catalog)
    assert "full_name" not in run.records["people"][0]
    assert "full name" not in asked(two)


def test_hashes_are_hmac_sha_256(two: Orgvue) -> None:
    """A hashed value is the HMAC-SHA-256 of it as hex text, in a text column; null stays null."""
    run = sync({**two.config, "hash_properties": ["full name"], "hash_key": KEY})
    assert [r["full_name"] for r in run.records["people"]] == [hashed(SECRET), None]
    column = run.schemas["people"]["schema"]["properties"]["full_name"]
    assert column["type"] == ["string", "null"]
    assert SECRET not in run.stdout


def test_hashes_join_datasets(two: Orgvue) -> None:
    """Equal values have equal hashes in all datasets, a number also where it is text."""
    run = sync({**two.config, "hash_properties": ["full name", "number"], "hash_key": KEY})
    [position] = run.records["positions"]
    person = run.records["people"][0]
    assert person["full_name"] == position["full_name"]
    assert person["number"] == position["number"] == hashed("7")
    assert run.records["people"][1]["number"] == hashed("8")


@pytest.mark.slow
def test_another_key_makes_other_hashes(two: Orgvue) -> None:
    """Without the key, hashes tell nothing of each other."""
    config = {**two.config, "hash_properties": ["full name"]}
    first = sync({**config, "hash_key": KEY}).records["people"][0]
    second = sync({**config, "hash_key": KEY[::-1]}).records["people"][0]
    assert first["full_name"] != second["full_name"]


def test_a_value_that_does_not_fit_is_hashed_too(two: Orgvue) -> None:
    """A hashed property's values never reach `_rescued_data` as they are."""
    run = sync({**two.config, "hash_properties": ["salary"], "hash_key": KEY})
    records = run.records["people"]
    assert [r["salary"] for r in records] == [hashed("90125.5"), hashed("much-too-much")]
    assert [rescued(r) for r in records] == [None, None]
    assert "much-too-much" not in run.stdout


def test_a_new_property_is_rescued_as_its_hash(two: Orgvue) -> None:
    """A hashed property that came after the catalog is hashed in `_rescued_data` as well."""
    config = {
        **two.config,
        "hash_properties": ["ssn", "full name"],
        "unmatched_patterns": "warn",
        "hash_key": KEY,
        "new_properties": "rescue",
    }
    catalog = discover(config)
    two.dataset("People").add_property(Property("ssn"), ["078-05-1120", None])
    run = sync(config, catalog)
    with_value, without = (rescued(r) for r in run.records["people"])
    assert with_value == {"ssn": hashed("078-05-1120")}
    assert without == {"salary": "much-too-much"}
    assert "078-05-1120" not in run.stdout


def test_hashed_after_discovery(two: Orgvue) -> None:
    """A catalog from before the setting: the column turns to text, and its values are hashed."""
    catalog = discover(two.config)
    run = sync({**two.config, "hash_properties": ["number"], "hash_key": KEY}, catalog)
    assert [r["number"] for r in run.records["people"]] == [hashed("7"), hashed("8")]
    column = run.schemas["people"]["schema"]["properties"]["number"]
    assert column["type"] == ["string", "null"]


def batched(run: Run) -> list[dict[str, Any]]:
    """The records in the files of a run's BATCH messages."""
    found = []
    for message in run.of_type("BATCH"):
        for address in message["manifest"]:
            with gzip.open(Path(address.removeprefix("file://")), "rt", encoding="utf-8") as lines:
                found += [json.loads(line) for line in lines]
    return found


def test_batches_hold_what_records_hold(two: Orgvue, tmp_path: Path) -> None:
    """With BATCH messages the same columns are left out and hashed."""
    config = {
        **two.config,
        "exclude_properties": ["salary"],
        "hash_properties": ["full name"],
        "hash_key": KEY,
    }
    storage = {"root": f"file://{tmp_path}", "prefix": "b-"}
    encoding = {"format": "jsonl", "compression": "gzip"}
    run = sync({**config, "batch_config": {"encoding": encoding, "storage": storage}})
    records = batched(run)
    assert len(records) == 3
    assert {r["full_name"] for r in records} == {hashed(SECRET), None}
    assert all("salary" not in r for r in records)
    plain = b"".join(gzip.decompress(path.read_bytes()) for path in tmp_path.iterdir())
    assert SECRET.encode() not in plain


@pytest.mark.parametrize("setting", ["exclude_properties", "hash_properties"])
def test_a_pattern_that_matches_nothing(
    two: Orgvue, caplog: pytest.LogCaptureFixture, setting: str
) -> None:
    """A pattern that meets no property is warned of, and one that does is not."""
    caplog.set_level(logging.WARNING)
    discover({**two.config, setting: ["slary", "sal*"], "hash_key": KEY})
    assert "'slary'" in caplog.text
    assert "'sal*'" not in caplog.text


def test_a_hash_pattern_that_matches_nothing_of_a_catalog(
    two: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """With a catalog, a misspelled pattern is warned of before values are sent as they are."""
    catalog = discover(two.config)
    config = {**two.config, "hash_properties": ["slary", "salary"], "hash_key": KEY}
    with pytest.raises(SettingsError, match="hash_properties: 'slary' matches no property"):
        sync(config, catalog)
    sync({**config, "unmatched_patterns": "warn"}, catalog)
    assert "'slary' matches no property" in caplog.text
    assert "'salary' matches" not in caplog.text


def test_a_hash_key_is_needed(two: Orgvue) -> None:
    """Hashing without a key, or with one that can be guessed, is refused, the key untold."""
    for more in ({}, {"hash_key": "short-key"}):
        run = command({**two.config, "hash_properties": ["salary"], **more})
        assert run.code != 0
        assert "hash_key: " in run.stderr
        assert "short-key" not in run.stderr
    assert two.requests == []


@pytest.mark.parametrize("mode", ["auto", "async"])
def test_values_are_in_no_log(two: Orgvue, mode: str) -> None:
    """With everything logged, with misfits and broken connections, no cell and no key is told."""
    two.hang_up(on="export", after=-5)
    config = {**two.config, "export_mode": mode, "hash_properties": ["salary"], "hash_key": KEY}
    run = command(config, env={"LOGLEVEL": "DEBUG"})
    assert run.code == 0
    assert len(run.records["people"]) == 2
    for value in (SECRET, "90125.5", "much-too-much", KEY):
        assert value not in run.stderr
    assert "much-too-much" not in run.stdout


def test_a_misfit_is_reported_without_its_value(two: Orgvue) -> None:
    """Where misfits are errors, the error names column and row, and not the value."""
    run = command({**two.config, "rescue_data": False}, env={"LOGLEVEL": "DEBUG"})
    assert run.code == 3
    assert "'salary'" in run.stderr
    assert "much-too-much" not in run.stderr
    assert SECRET not in run.stderr
