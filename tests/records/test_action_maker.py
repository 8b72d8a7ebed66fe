"""Records of item actions: values as they came, and nothing that a database refuses."""

from __future__ import annotations

import hmac
import json
import sys
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from tap_orgvue.orgvue.errors import MalformedResponse
from tap_orgvue.orgvue.models import Property
from tap_orgvue.records.action_maker import ActionCounts, ActionMaker, elements_of
from tap_orgvue.schema.change_rules import AnyDatasetRules, DatasetRules, Treatment
from tap_orgvue.schema.column_rules import ColumnRules
from tap_orgvue.schema.column_types import ColumnType

KEYS = ("_id", "a", "b", "from_id", "to_id")


def rules(*keys: str, are_known: bool = True, **settings: Any) -> DatasetRules:
    """The rules of a dataset that reads all its properties."""
    known = {key: [Property(key, key.upper(), "text")] for key in keys or KEYS}
    return DatasetRules("people", ColumnRules(**settings), known, known.keys(), are_known)


def made(raw: bytes, counts: ActionCounts | None = None, **settings: Any) -> dict[str, Any]:
    """The record of an action."""
    counts = counts or ActionCounts()
    maker = ActionMaker(rules(**settings), hash_key=b"x" * 16, counts=counts)
    return maker.record(raw)


@pytest.mark.parametrize(
    "raw,changes",
    [
        (rb'{"a":1.0,"b":1e5}', '{"a":1.0,"b":1e5}'),
        (rb'{ "a" : [ 1, {"x" : null} ] }', '{"a":[ 1, {"x" : null} ]}'),
        (rb'{"\u0061":"\u00e9\"\\","b":""}', r'{"a":"\u00e9\"\\","b":""}'),
        (rb'{"a":null}', '{"a":null}'),
        (rb'{"a":1,"a":2}', '{"a":2}'),
        (rb'{"a":"\\u0000"}', r'{"a":"\\u0000"}'),
        (rb'{"a":{"k\u0000":"\u0000"}}', '{"a":{"k":""}}'),
        (rb'{"a":NaN,"b":[Infinity,1.50]}', '{"a":"NaN","b":["Infinity",1.50]}'),
        (rb'{"a":"\ud83d","b":"\ud83d\ude00"}', r'{"a":"\\ud83d","b":"😀"}'),
        (rb'{"\ud800":1,"b":2}', '{"b":2}'),
    ],
)
def test_values_in_changes(raw: bytes, changes: str) -> None:
    """As they came, byte by byte, unless no database stores them."""
    record = made(raw)
    assert record["changes"] == changes
    json.loads(changes, parse_constant=lambda _: pytest.fail("no JSON"))


@pytest.mark.parametrize(
    "raw,text",
    [
        (b'"x"', "x"),
        (rb'"x\n\u00e9"', "x\né"),
        (b"7", "7"),
        (b"12345678901234567890.50", "12345678901234567890.50"),
        (b"true", "true"),
        (b"null", None),
        (b'""', ""),
        (rb'"a\ud800"', r"a\ud800"),
        (rb'"a\u0000b"', "ab"),
        (b'{"a":1}', None),
        (b"[1]", None),
    ],
)
def test_ids(raw: bytes, text: str | None) -> None:
    """Texts and numbers, with all digits; a nested value is no id, and is not sent."""
    counts = ActionCounts()
    assert made(b'{"_id":%b}' % raw, counts)["item_id"] == text
    nested = raw[:1] in {b"{", b"["}
    assert counts.left_out == ({(Treatment.NO_ID, "_id"): 1} if nested else {})


@pytest.mark.parametrize("raw", [b"7", b"null", b'"a"', b"[]", b'[{"a":1}]', b"NaN"])
def test_what_is_no_object(raw: bytes) -> None:
    """It is no action."""
    with pytest.raises(MalformedResponse, match="not an object"):
        made(raw)


@pytest.mark.parametrize(
    "raw",
    [
        *(b'{"a":"\xff"}', b'{"a":"\xff\\u0000"}', b'{"a":["\xff"]}', b'{"a":NaN,"b":"\xff"}'),
        *(b'{"_id":"\xff"}', b'{"_id":"\xff\\n"}', b'{"_action":"\xff"}', b'{"\xff":1}'),
    ],
)
def test_what_is_not_utf_8(raw: bytes) -> None:
    """Text that is none is told without the text."""
    for hashed in ((), ("a",)):
        with pytest.raises(MalformedResponse, match="not UTF-8"):
            made(raw, hashed=hashed)


def test_a_value_that_is_nested_too_deeply() -> None:
    """It is told, and takes nothing down."""
    deep = b"[" * 100_000 + b"]" * 100_000
    for rest in (b"", b',"b":NaN'):
        with pytest.raises(MalformedResponse, match="not UTF-8 text, or nested"):
            made(b'{"a":%b%b}' % (deep, rest))


DEPTHS = range(50, 2 * sys.getrecursionlimit(), 50)


@pytest.mark.parametrize("value", [b"1", b"NaN", rb'"\u0000"', b'{"b":1}'])
@pytest.mark.parametrize("protected", [{}, {"hashed": ("a",)}, {"excluded": ("b",)}])
def test_no_depth_takes_a_run_down(value: bytes, protected: dict[str, Any]) -> None:
    """However deep a value is, its action is a record or is told as one that cannot be read."""
    outcomes: set[type] = set()
    for depth in DEPTHS:
        raw = b'{"a":%b%b%b}' % (b"[" * depth, value, b"]" * depth)
        try:
            outcomes.add(type(made(raw, **protected)))
        except MalformedResponse as error:
            outcomes.add(type(error))
    assert outcomes == {dict, MalformedResponse}


def test_no_depth_hides_an_excluded_property() -> None:
    """A value that can be read, and is too deep to be searched, is not sent."""
    sent = set()
    for depth in DEPTHS:
        with suppress(MalformedResponse):
            raw = b'{"a":%b{"b":"secret"}%b}' % (b'{"k":' * depth, b"}" * depth)
            sent.add(made(raw, excluded=("b",))["changes"])
    assert sent == {"{}"}


@pytest.mark.parametrize(
    "raw,word,unknown",
    [
        (b'{"_action":"create"}', "create", 0),
        (b'{"_action":"grow"}', "grow", 1),
        (rb'{"_action":"gr\ud800w"}', "gr?w", 1),
        (b'{"_action":7}', None, 1),
        (b'{"_action":{"a":"secret"}}', None, 1),
        (b'{"a":1}', None, 1),
    ],
)
def test_words(raw: bytes, word: str | None, unknown: int) -> None:
    """A text is an action's word, known or not; a value of any other kind is not sent."""
    counts = ActionCounts()
    assert made(raw, counts)["action"] == word
    assert (counts.rows, counts.unknown_words) == (1, unknown)


def test_hashed_values() -> None:
    """A hash is a text in JSON, the same for a number and its text; null has none."""
    first, same, null = (
        json.loads(made(b'{"a":%b}' % raw, hashed=("a",))["changes"])["a"]
        for raw in (b"7", b'"7"', b"null")
    )
    assert first == same
    assert len(first) == 64
    assert null is None
    with pytest.raises(MalformedResponse, match="not UTF-8 text, or nested"):
        made(b'{"a":"\xff"}', hashed=("a",))


def test_keys_that_are_too_many_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of the first keys are counted by key, all others together."""
    monkeypatch.setattr("tap_orgvue.records.action_maker._MOST_KEYS", 2)
    counts = ActionCounts()
    for _ in range(2):
        made(b'{"x":1,"y":1,"z":1}', counts)
    assert counts.left_out == {(Treatment.UNKNOWN, "x"): 2, (Treatment.UNKNOWN, "y"): 2}
    assert counts.other_keys == 2


@pytest.mark.parametrize(
    "raw,is_link",
    [
        (b'{"from_id":1,"to_id":2}', True),
        (b'{"_id":"x","from_id":1,"to_id":2}', False),
        (b'{"from_id":1}', False),
        (b'{"_id":"x","to_id":2}', False),
    ],
)
def test_links(raw: bytes, is_link: bool) -> None:  # noqa: FBT001 - one of the cases
    """A link has both ends instead of `_id`; other properties of these names are properties."""
    record = made(raw)
    assert (record["from_id"] is not None) is is_link
    assert ("_id" in record["changes"]) is not is_link


def test_an_action_of_a_links_dataset() -> None:
    """A link may have an `_id` beside its ends."""
    of_links = rules("_id", "from_id", "to_id", "link_id")
    maker = ActionMaker(of_links, hash_key=None, counts=ActionCounts())
    record = maker.record(b'{"_id":"x","from_id":1,"to_id":2,"link_id":3}')
    ends = [record[name] for name in ("item_id", "from_id", "to_id", "changes")]
    assert ends == ["x", "1", "2", '{"link_id":3}']


@pytest.mark.parametrize("key,column", [("_id", "item_id"), ("from_id", "from_id"), ("to_id",) * 2])
def test_a_protected_id(key: str, column: str) -> None:
    """An id is hashed or left out like any other property; `_id` cannot be excluded."""
    raw = b'{"_id":"x"}' if key == "_id" else b'{"from_id":"x","to_id":"x"}'
    hashed = made(raw, hashed=(key,))[column]
    assert hashed == hmac.digest(b"x" * 16, b"x", "sha256").hex()
    counts = ActionCounts()
    excluded = made(raw, counts, excluded=(key,))
    assert excluded[column] == ("x" if key == "_id" else None)
    assert counts.left_out == ({} if key == "_id" else {(Treatment.EXCLUDED, key): 1})


def test_keys_in_changes() -> None:
    """A key is written as it is, in any script, without the NUL characters that are counted."""
    counts = ActionCounts()
    maker = ActionMaker(rules('é"', "a\x00"), hash_key=None, counts=counts)
    for _ in range(2):
        changes = maker.record('{"é\\"":1,"a\\u0000":2}'.encode())["changes"]
        assert changes == '{"é\\"":1,"a":2}'
    assert counts.cells.nul_characters == 1, "a key is looked at once"


def test_elements_of_a_block() -> None:
    """Each keeps its text; a block that ends within an element is none."""
    assert elements_of(b'[{"a": 1.0},7 , "x"]') == [b'{"a": 1.0}', b"7", b'"x"']
    assert elements_of(rb'["\ud800",NaN,1.50]') == [rb'"\ud800"', b"NaN", b"1.50"]
    for cut in (b'[{"a":"x},{"b"]', b'{"a":1}', b'[{"a":1}', rb'["\ud800]', rb'{"a":"\ud800"}'):
        with pytest.raises(msgspec.DecodeError):
            elements_of(cut)


def test_a_dataset_whose_properties_are_not_known() -> None:
    """Only `_id` passes."""
    of = rules("_id", "a", are_known=False)
    assert of.treatment("_id") is Treatment.SEND
    assert of.treatment("a") is of.treatment("zz") is Treatment.UNREADABLE


def test_any_dataset() -> None:
    """What one hashes, excludes, does not read or may have is not sent; nothing is hashed."""
    both = AnyDatasetRules([rules("_id", "a", "b"), rules("_id", "b", "c", hashed=("c",))])
    treatments = [both.treatment(key) for key in ("_id", "a", "b", "c", "d")]
    sent, unsure = Treatment.SEND, Treatment.UNSURE
    assert treatments == [sent, sent, sent, unsure, Treatment.UNKNOWN]
    assert both.declared_type("b") is ColumnType.TEXT
    hidden = AnyDatasetRules([rules("_id", "a"), rules("_id", are_known=False)])
    assert hidden.treatment("a") is unsure
    assert AnyDatasetRules([]).treatment("_id") is Treatment.UNKNOWN


def test_a_nested_value_that_holds_an_excluded_property() -> None:
    """The whole value is left out, and counted; its neighbours, nested or not, are sent."""
    counts = ActionCounts()
    raw = b'{"a":{"k":[{"b":"secret"}]},"from_id2":1,"_id":"x"}'
    assert "secret" not in made(raw, counts, excluded=("b",))["changes"]
    assert counts.left_out[Treatment.NESTED, "a"] == 1
    assert made(b'{"a":{"k":"b"}}', excluded=("b",))["changes"] == '{"a":{"k":"b"}}'


def test_a_nested_value_that_is_not_sent_as_it_is() -> None:
    """Whatever it holds, it is hashed whole, or left out for its own property's sake."""
    hashed = json.loads(made(b'{"a":{"b":1}}', hashed=("a",), excluded=("b",))["changes"])
    assert len(hashed["a"]) == 64
    counts = ActionCounts()
    assert made(b'{"x":{"b":1}}', counts, excluded=("b",))["changes"] == "{}"
    assert counts.left_out == {(Treatment.UNKNOWN, "x"): 1}
