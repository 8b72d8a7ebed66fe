"""The headers of later pages: read exactly where records are the same, else an error."""

from __future__ import annotations

import pytest

from tap_orgvue.orgvue.errors import MalformedResponse
from tap_orgvue.orgvue.models import Property
from tap_orgvue.schema.page_headers import HeaderChanges, check_same_headers, compare_headers

ID, PAY, NOTE = (
    Property("_id", "Id", "text"),
    Property("pay", "Pay", "number"),
    Property("note", "Note", "text"),
)
FIRST = [ID, PAY, NOTE]

CHANGES = {
    "none": (FIRST, HeaderChanges(), ""),
    "reordered": ([ID, NOTE, PAY], HeaderChanges(is_reordered=True), "reordered"),
    "renamed": (
        [ID, Property("pay", "Salary", "number"), NOTE],
        HeaderChanges(renamed=(("pay", "Pay", "Salary"),)),
        "renamed: 'pay' ('Pay' → 'Salary')",
    ),
    "appeared": (
        [Property("new", "New", "text"), *FIRST],
        HeaderChanges(appeared=("new",)),
        "appeared: 'new'",
    ),
    "gone": ([ID, NOTE], HeaderChanges(gone=("pay",)), "gone: 'pay'"),
    "key missing": ([PAY, NOTE], HeaderChanges(gone=("_id",)), "gone: '_id'"),
    "retyped": (
        [ID, Property("pay", "Pay", "text"), NOTE],
        HeaderChanges(retyped=(("pay", "number", "text"),)),
        "retyped: 'pay' (number → text)",
    ),
    "another key of the same name": (
        [ID, Property("wage", "Pay", "number"), NOTE],
        HeaderChanges(appeared=("wage",), gone=("pay",)),
        "appeared: 'wage'; gone: 'pay'",
    ),
    "all at once": (
        [Property("new"), Property("note", "Remark", "date"), ID],
        HeaderChanges(
            appeared=("new",),
            gone=("pay",),
            retyped=(("note", "text", "date"),),
            renamed=(("note", "Note", "Remark"),),
            is_reordered=True,
        ),
        (
            "appeared: 'new'; gone: 'pay'; retyped: 'note' (text → date); "
            "renamed: 'note' ('Note' → 'Remark'); reordered"
        ),
    ),
}
EXACT = {"none", "reordered", "renamed"}


@pytest.mark.parametrize("name", CHANGES)
def test_a_page_is_compared_with_the_first(name: str) -> None:
    """Every kind of change is found, named, and either exact or not."""
    page, changes, words = CHANGES[name]
    found = compare_headers(FIRST, page)
    assert found == changes
    assert found.describe() == words
    assert bool(found) is (name != "none")
    assert found.is_exact is (name in EXACT)


@pytest.mark.parametrize("name", CHANGES)
def test_a_page_is_read_only_where_its_records_are_the_same(name: str) -> None:
    """Other names and another order are exact; whatever else changed is an error that says it."""
    page, changes, words = CHANGES[name]
    if name in EXACT:
        assert check_same_headers(FIRST, page) == changes
    else:
        with pytest.raises(MalformedResponse) as caught:
            check_same_headers(FIRST, page)
        assert f"while it was read: {words}. Run again." in str(caught.value)


@pytest.mark.parametrize("name", ["gone", "retyped"])
def test_a_property_without_a_column_may_change(name: str) -> None:
    """What happens to an excluded or deselected property changes no record."""
    page, _, _ = CHANGES[name]
    assert not check_same_headers(FIRST, page, unused={"pay"})


def test_a_property_that_is_known_as_unused_may_appear() -> None:
    """An excluded property that appears changes no record; another one does."""
    page, _, _ = CHANGES["appeared"]
    assert not check_same_headers(FIRST, page, unused={"new"})
    with pytest.raises(MalformedResponse):
        check_same_headers(FIRST, page, unused={"pay"})


def test_a_message_names_ten_of_many() -> None:
    """Many changes are told in a line of bounded length."""
    page = [*FIRST, *(Property(f"k{i}") for i in range(12))]
    with pytest.raises(MalformedResponse, match="'k9' and 2 more"):
        check_same_headers(FIRST, page)
    with pytest.raises(MalformedResponse, match=r"'k9'\. Run again"):
        check_same_headers(FIRST, page[:-2])
