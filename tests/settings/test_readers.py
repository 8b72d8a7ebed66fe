"""Readers: the value of a setting, or what is wrong with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.settings import readers
from tap_orgvue.settings.readers import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ID = "0b530000-0000-4000-8000-00000000000a"
OTHER = "0b530000-0000-4000-8000-00000000000b"


def mistake(read: Callable[[Any], object], value: object) -> str:
    """What a reader says of a value that it refuses."""
    with pytest.raises(Mistake) as caught:
        read(value)
    return str(caught.value)


@pytest.mark.parametrize("text", ["", " \n", "Bearer", " Bearer  "])
def test_a_token_of_nothing(text: str) -> None:
    """White space and a scheme are no token, and are told as an empty one."""
    assert mistake(readers.read_token, text) == "is empty."


def test_a_token_with_odd_characters() -> None:
    """It is told how to copy it, and not shown."""
    told = mistake(readers.read_token, "secret token")
    assert told.startswith("has characters that no token has; copy it whole")
    assert "secret" not in told


@pytest.mark.parametrize("text", ["A", "ACME", "A_1", "A" * 30])
def test_tenant_ids(text: str) -> None:
    """A tenant's id is at most 30 capitals, digits and underscores, a capital first."""
    assert readers.read_tenant_id(text) == text


@pytest.mark.parametrize("text", ["", "_A", "1A", "A-B", "Acme", "A" * 31])
def test_other_tenant_ids(text: str) -> None:
    """Anything else is refused, and the page that shows it is named."""
    assert "tenants page" in mistake(readers.read_tenant_id, text)


@pytest.mark.parametrize(
    "text,said",
    [
        ("https://h:x", "not a URL"),
        ("https:///x", "must be https:// and a host"),
        ("https://hö", "must be https:// and a host"),
        ("wss://h", "must be https:// and a host"),
        ("https://u@h", "user name or password"),
        ("https://:p@h", "user name or password"),
        ("https://h/x", "without a path"),
        ("https://h?x", "without a path"),
        ("https://h#x", "without a path"),
        ("http://h", "plain http is for loopback addresses only"),
    ],
)
def test_api_urls_that_are_refused(text: str, said: str) -> None:
    """Each part that an address may not have is named."""
    assert said in mistake(readers.read_api_url, text)


@pytest.mark.parametrize(
    "names,said",
    [
        ({"people": "people"}, "'people' is not a dataset's id"),
        ({ID: "a-b"}, "'a-b' is a name that loaders change or refuse"),
        ({ID: "orgvue_properties"}, "is the name of a stream of the tap's own"),
        ({ID: "a", OTHER: "A"}, "gives two datasets the same name"),
        ({ID: "a", ID.upper(): "b"}, "names a dataset twice"),
    ],
)
def test_stream_names_that_are_refused(names: dict[str, str], said: str) -> None:
    """A pin has a dataset's id and a name that every loader stores, both once."""
    assert said in mistake(readers.read_stream_names, names)


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "ä", "a\x7f"])
def test_user_agents_that_are_refused(text: str) -> None:
    """A header takes printable ASCII."""
    assert mistake(readers.read_user_agent, text) == "must be printable ASCII text."


def test_a_user_agent() -> None:
    """Printable ASCII is taken as it is."""
    assert readers.read_user_agent("acme/1 (a b)") == "acme/1 (a b)"


def test_a_temporary_folder(tmp_path: Path) -> None:
    """A folder is taken; a file, and a path that is not there, is not."""
    file = tmp_path / "file"
    file.touch()
    assert readers.read_temp_dir(str(tmp_path)) == str(tmp_path)
    for path in (file, tmp_path / "other"):
        assert "is not a folder" in mistake(readers.read_temp_dir, str(path))


def test_a_folder_must_be_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that this process may only read is refused."""
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)
    assert "written to" in mistake(readers.read_temp_dir, str(tmp_path))


@pytest.mark.parametrize(
    "conditions,said",
    [
        ({"$or": []}, "$or is no property key"),
        ({"a": {}}, "the condition on 'a' is empty"),
        ({"a": {"$regex": "x", "$in": []}}, "'$regex' is not one of $gt, $gte, $in"),
        ({"a": {"$in": "x"}}, "$in takes a list"),
        ({"a": {"$nin": {}}}, "$nin takes a list"),
        ({"a": ["x"]}, "'a' is compared with a list; use $in"),
    ],
)
def test_filters_that_are_refused(conditions: dict[str, Any], said: str) -> None:
    """What Orgvue's filters do not know is named, with the stream."""
    told = mistake(readers.read_filters, {"people": {"b": 1}, "roles": conditions})
    assert told.startswith("for 'roles': ")
    assert said in told


def test_filters() -> None:
    """Every documented operator is taken, and a dataset's id is in upper case."""
    conditions = {"a": {"$gt": 1, "$gte": 1, "$lt": 1, "$lte": 1, "$ne": 1}, "b": None, "c": True}
    lists = {"d": {"$in": [1], "$nin": []}}
    assert readers.read_filters({ID: conditions | lists, "people": {}}) == {
        ID.upper(): conditions | lists,
        "people": {},
    }


def test_linking_relationships() -> None:
    """Every entry is a dataset's id."""
    assert readers.read_linking_relationships({"people": [ID]}) == {"people": [ID]}
    told = mistake(readers.read_linking_relationships, {"people": [ID], "roles": [ID, "x"]})
    assert told == "for 'roles': 'x' is not a dataset's id."


def test_property_types() -> None:
    """A type is one of five."""
    assert readers.read_property_types({"a": "date-time"}) == {"a": ColumnType.DATE_TIME}
    told = mistake(readers.read_property_types, {"a": "text", "b": "int"})
    assert told == "for 'b': must be one of text, number, boolean, date, date-time."


def test_property_names() -> None:
    """A pinned column has a name that every loader stores, and no other one of its stream has."""
    table = {"people": {"Bonus %": "bonus_pct"}, "roles": {"Bonus": "bonus_pct"}}
    assert readers.read_property_names(table) == table
    told = mistake(readers.read_property_names, {"people": {"a": "x", "b": "_sdc_x"}})
    assert told.startswith("for 'people', 'b': '_sdc_x' is a name that loaders change or refuse")
    told = mistake(readers.read_property_names, {"people": {"a": "x", "b": "X"}})
    assert told == "for 'people': gives two properties the same name."
    nameless: list[Any] = [1, {}]
    for name in nameless:
        told = mistake(readers.read_property_names, {"people": {"a": name}})
        assert told == "for 'people', 'a': must be a column name."


def test_a_hash_key() -> None:
    """A key has at least 16 characters and is used in UTF-8."""
    assert readers.read_hash_key("ä" * 16) == "ä".encode() * 16
    assert "at least 16 characters" in mistake(readers.read_hash_key, "ä" * 15)


def test_folders_of_run_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any name is one but an empty one, and an address elsewhere; `~` is the user's folder."""
    assert readers.read_run_report(" reports ") == " reports "
    monkeypatch.setenv("HOME", "/home/me")
    assert readers.read_run_report("~/reports") == "/home/me/reports"
    for text in ("", "  "):
        assert mistake(readers.read_run_report, text).startswith("is empty")
    told = mistake(readers.read_run_report, "s3://lake/reports")
    assert told == "must be a folder of this machine, not a URL."
