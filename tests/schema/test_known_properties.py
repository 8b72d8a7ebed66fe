"""What a state remembers of the properties of a dataset, in a few bytes each."""

from __future__ import annotations

import base64
import json
import random
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column
from tap_orgvue.schema.known_properties import KnownProperties, KnownProperty, name_digest
from tap_orgvue.schema.ownership import ColumnOwners

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=8)


def known(names: dict[str, str], *, filled: bool = True) -> KnownProperties:
    """Properties by key and display name."""
    return KnownProperties(
        (key, KnownProperty.delivered(ColumnType.NUMBER, name, filled=filled))
        for key, name in names.items()
    )


def again(properties: KnownProperties) -> KnownProperties:
    """What the next run reads of a state."""
    return KnownProperties.from_json(*json.loads(json.dumps(properties.to_json())))


def with_type(number: int) -> str:
    """The details of one property whose type has this number."""
    return base64.b85encode((number << 1).to_bytes(2, "big")).decode()


def random_names(count: int, length: int = 39) -> list[str]:
    """Names that no compression makes shorter."""
    chance = random.Random(7)  # noqa: S311 - any will do
    return ["".join(chance.choices(string.printable[:62], k=length)) for _ in range(count)]


@given(
    st.dictionaries(
        ANY_TEXT,
        st.tuples(ANY_TEXT, st.sampled_from([None, *ColumnType]), st.booleans()),
        max_size=10,
    )
)
def test_what_is_written_is_read(entries: dict[str, tuple[str, ColumnType | None, bool]]) -> None:
    """Any keys and names, with line breaks, tabs and half surrogates, come back as they were."""
    properties = KnownProperties(
        (
            key,
            KnownProperty()
            if kind is None
            else KnownProperty.delivered(kind, name or key, filled=filled),
        )
        for key, (name, kind, filled) in entries.items()
    )
    read = again(properties)
    assert len(read) == len(entries)
    assert read.keys() == properties.keys() == sorted(entries)
    for key in entries:
        before, now = properties.find(key), read.find(key)
        assert before is not None
        assert now is not None
        assert (before.type, before.name, before.filled) == (now.type, now.name, now.filled)


OLD = {
    "_id": KnownProperty.delivered(ColumnType.TEXT, "Id", filled=True),
    "Größe": KnownProperty.delivered(ColumnType.NUMBER, "Größe", filled=False),
    "start": KnownProperty.delivered(ColumnType.DATE, "Start\tday", filled=True),
    "gone": KnownProperty(),
    "_modifiedAt": KnownProperty.delivered(ColumnType.DATE_TIME, "Modified", filled=True),
}


def test_the_state_of_an_earlier_version_is_read() -> None:
    """States outlive versions: these texts are what version 0.1 wrote."""
    keys = ":b1#aiNHdG6NJ&fO<ciNs;q*-5iqFkY$xO>kO>r#Y^o26H()06Dxr$2?i%K|yL1auxN@67d"
    read = KnownProperties.from_json(keys, "3iJ~`n*ajI")
    assert read.keys() == sorted(OLD)
    assert {key: read.find(key) for key in OLD} == OLD
    digests = KnownProperties.from_json(".5pm7KDu5rtw_tvdGzO0o", "4x0c9^b<14")
    assert len(digests) == len(OLD)
    for key, known_one in OLD.items():
        assert digests.find(key) == replace(known_one, name=None)


def test_a_name_that_is_its_key_takes_no_room() -> None:
    """Most keys are display names: they are written once."""
    keys = random_names(30)
    alone, named = (
        len(known(names).to_json()[0])
        for names in (dict.fromkeys(keys, ""), {key: key for key in keys})
    )
    assert named == alone


def test_names_are_left_out_before_keys_are() -> None:
    """Where names take too much room, the keys are still there, and a new name is still seen."""
    keys = [f"key{i}" for i in range(150)]
    read = again(known(dict(zip(keys, random_names(150), strict=True))))
    assert read.keys() == sorted(keys)
    found = read.find("key0")
    assert found is not None
    assert found.name is None
    assert found.is_called(random_names(150)[0])
    assert not found.is_called("Another name")


def test_only_digests_of_very_long_keys() -> None:
    """A property is still known by its key, and it is known how many others there are."""
    keys = random_names(150)
    read = again(known({key: key for key in keys}))
    assert read.keys() == []
    assert len(read) == len(keys)
    assert all(read.find(key) for key in keys)
    assert read.find("another") is None
    assert read.others(keys[3:]) == ([], 3)


def test_others_are_reported_by_their_keys() -> None:
    """The known properties beside some keys."""
    read = again(known({"a": "A", "b": "B", "c": "C"}))
    assert read.others(["b", "x"]) == (["a", "c"], 2)


@pytest.mark.parametrize(
    "keys,details",
    [
        (None, None),
        ("", ""),
        ("?", ""),
        ("b1T", "00"),
        (":b1T", 5),
        (".abcd", ""),
        ([1], "x"),
        (known({"a": "A"}).to_json()[0], "zzzz"),
        (known({"a": "A"}).to_json()[0], ""),
        *((known({"a": "A"}).to_json()[0], with_type(number)) for number in (6, 7)),
    ],
)
def test_anything_else_counts_as_nothing(keys: Any, details: Any) -> None:
    """A state of an older or a newer version, and one that was edited, know no property."""
    assert len(KnownProperties.from_json(keys, details)) == 0


def test_types_have_their_numbers_for_good() -> None:
    """A state that an earlier version wrote is read with the types that it meant."""
    keys = known({"a": "A"}).to_json()[0]
    types = (None, "text", "number", "boolean", "date", "date-time")
    for number, expected in enumerate(types):
        found = KnownProperties.from_json(keys, with_type(number)).find("a")
        assert found is not None
        assert found.type == expected


@pytest.mark.parametrize("keys", [random_names(150), [f"someProperty{i}" for i in range(150)]])
def test_a_state_of_many_columns_is_small(keys: list[str]) -> None:
    """With the columns, 150 properties take less than 2 900 characters, whatever their names."""
    names = dict(zip(keys, random_names(150), strict=True))
    properties, owners = known(names), ColumnOwners()
    owners.remember(
        (Column(f"c{i}", key, ColumnType.TEXT) for i, key in enumerate(keys)), complete=True
    )
    owners.names.clear()
    texts = [*properties.to_json(), *owners.to_json(properties.keys())]
    assert len(json.dumps(texts)) < 2900


@pytest.mark.parametrize("keys", [["a", "b", "c d"], random_names(150)])
def test_columns_keep_their_owners(keys: list[str]) -> None:
    """Whether a state has keys or digests of them, columns are the same after it was read."""
    owners = ColumnOwners()
    columns = [Column(f"n{i}", key, ColumnType.DATE) for i, key in enumerate(keys)]
    old = [Column("old", "gone", ColumnType.TEXT), Column("before", keys[0], ColumnType.NUMBER)]
    owners.remember([*old, *columns], complete=True)
    properties = known({key: key for key in [*keys, "not a column"]})
    columns_text, names, owned = owners.to_json(properties.keys())
    read = ColumnOwners.from_json(columns_text, names, owned, again(properties).keys())
    for column in [*old, *columns]:
        assert read.column(column.name) == owners.column(column.name)
        assert read.is_foreign(column.name, "another")
    assert read.names == owners.names
    assert [read.name_of(key) for key in keys] == [owners.name_of(key) for key in keys]


def test_a_digest_of_a_name_is_a_byte() -> None:
    """It is never 0, and takes one byte whatever the name."""
    assert {name_digest(str(number)) for number in range(5000)} == set(range(1, 256))
