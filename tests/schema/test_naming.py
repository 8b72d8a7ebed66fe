"""Stream and column names: safe for every loader, unique, and independent of any order."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_orgvue.orgvue.models import Dataset
from tap_orgvue.schema.naming import column_names, fold, is_safe_name, stream_names

SAFE = re.compile(r"[a-z_][a-z0-9_]*")

IDS = [f"{i:08X}-0000-4000-8000-000000000000" for i in range(1, 20)]

datasets = st.lists(
    st.tuples(st.uuids(), st.one_of(st.text(max_size=80), st.sampled_from(["A b", "a-B", "A  B"]))),
    max_size=12,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: [Dataset(str(dataset_id).upper(), name) for dataset_id, name in pairs])

keys = st.lists(
    st.one_of(
        st.text(max_size=80),
        st.sampled_from(["id", "Id", "ID", "i d", "_id", "_Id", "_sdc_x", "fullName", "full_name"]),
        st.from_regex(r"_?[A-Za-z]{1,8}( |-|_)?[A-Za-z0-9]{0,8}", fullmatch=True),
    ),
    max_size=12,
    unique=True,
)


def streams(*names: str, **pinned: str) -> list[str]:
    """The stream names of datasets with these names, in their order."""
    found = [Dataset(IDS[i], name) for i, name in enumerate(names)]
    pins = {IDS[int(position[1:])]: name for position, name in pinned.items()}
    outcome = stream_names(found, pins)
    return [outcome[dataset.dataset_id] for dataset in found]


# --- streams


@pytest.mark.parametrize(
    "name,stream",
    [
        ("People", "people"),
        ("WFP Position Dataset", "wfp_position_dataset"),
        ("org-design", "org_design"),
        ("  -- Trimmed -- ", "trimmed"),
        ("a/b\\c.d%e\"f'g", "a_b_c_d_e_f_g"),
        ("Löhne & Größen", "lohne_grossen"),
        ("Ça va, Señor?", "ca_va_senor"),
        ("ﬁne", "fine"),
        ("Москва", "moskva"),
        ("2026 plan", "_2026_plan"),
        ("", "dataset_00000001"),
        ("---", "dataset_00000001"),
        ("x" * 63, "x" * 63),
        ("x" * 64, "x" * 54 + "_00000001"),
    ],
)
def test_a_dataset_s_name_becomes_a_stream_name(name: str, stream: str) -> None:
    """Names are transliterated, lower case, and of letters, digits and underscores."""
    assert streams(name) == [stream]


def test_every_one_of_colliding_datasets_carries_its_id() -> None:
    """Of datasets whose names fold together, none keeps the plain name."""
    assert streams("Plan A", "plan-a", "PLAN  A", "Other") == [
        "plan_a_00000001",
        "plan_a_00000002",
        "plan_a_00000003",
        "other",
    ]


def test_the_tap_s_own_streams_keep_their_names() -> None:
    """A dataset called like a descriptive stream carries its id."""
    assert streams("Orgvue Datasets", "orgvue-properties") == [
        "orgvue_datasets_00000001",
        "orgvue_properties_00000002",
    ]


def test_a_pin_wins_over_all() -> None:
    """A pinned name is taken as it is, and whoever would collide with it gives way."""
    assert streams("Plan A", "plan-a", p1="plan_a") == ["plan_a_00000001", "plan_a"]
    assert streams("Plan A", p0="Costs") == ["Costs"]


def test_a_dataset_named_like_another_s_suffixed_name() -> None:
    """Names stay unique even where one dataset is called as another is after its suffix."""
    names = streams("Plan A", "plan a", "plan a 00000001")
    assert len(set(names)) == 3
    assert all(is_safe_name(name) for name in names)


@given(datasets)
def test_stream_names_are_safe_and_unique(found: list[Dataset]) -> None:
    """Whatever datasets are called, each has its own name of a form that every loader stores."""
    names = stream_names(found, {})
    assert set(names) == {dataset.dataset_id for dataset in found}
    assert len({name.casefold() for name in names.values()}) == len(found)
    for name in names.values():
        assert SAFE.fullmatch(name)
        assert len(name.encode()) <= 63
        assert not name.startswith("_sdc_")


@given(datasets, st.randoms(use_true_random=False))
def test_stream_names_do_not_depend_on_the_order(found: list[Dataset], random: object) -> None:
    """The list's order changes no name."""
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert stream_names(found, {}) == stream_names(shuffled, {})


@given(st.text(max_size=40))
def test_a_pin_collides_with_nobody(name: str) -> None:
    """Whatever another dataset is called, it does not get a pinned name."""
    pinned = {IDS[0]: "people"}
    names = stream_names([Dataset(IDS[0], "x"), Dataset(IDS[1], name)], pinned)
    assert names[IDS[0]] == "people"
    assert names[IDS[1]] != "people"


# --- columns


@pytest.mark.parametrize(
    "key,column",
    [
        ("id", "id"),
        ("_id", "_id"),
        ("_modifiedAt", "_modified_at"),
        ("_span_of_control", "_span_of_control"),
        ("Employee ID", "employee_id"),
        ("EmployeeID", "employee_id"),
        ("HTTPServer", "http_server"),
        ("date-of-birth", "date_of_birth"),
        ("fullName", "full_name"),
        ("Größe", "grosse"),
        ("salary %", "salary"),
        ("1st", "_1st"),
        ('quote"d', "quote_d"),
        ("x" * 63, "x" * 63),
    ],
)
def test_a_property_s_key_becomes_a_column_name(key: str, column: str) -> None:
    """Keys become words joined by underscores; a leading underscore stays."""
    assert column_names([key]) == {key: column}


@pytest.mark.parametrize("key", ["", "%", "x" * 64, "Gr" + "ö" * 70, "日本" * 40])
def test_an_empty_or_cut_name_carries_a_hash(key: str) -> None:
    """Where nothing is left, or something is cut, a hash of the key tells it from others."""
    name = column_names([key])[key]
    assert re.fullmatch(r"[a-z_][a-z0-9_]*_[0-9a-f]{6}", name)
    assert len(name) <= 63


def test_the_key_in_form_keeps_its_name() -> None:
    """Of keys that fold together, the one that already has the form keeps it."""
    for order in (["full name", "full_name", "fullName"], ["fullName", "full_name", "full name"]):
        names = column_names(order)
        assert names["full_name"] == "full_name"
        for key in ("full name", "fullName"):
            assert re.fullmatch(r"full_name_[0-9a-f]{6}", names[key])


def test_a_name_stays_when_properties_are_added() -> None:
    """A property that comes later takes no name away that a catalog already has."""
    before = column_names(["Full Name"])
    after = column_names(["fullName", "Full Name", "full name"], before)
    assert after["Full Name"] == before["Full Name"] == "full_name"
    assert len(set(after.values())) == 3


def test_hashed_names_do_not_depend_on_the_others() -> None:
    """A name with a hash is the same whatever other keys there are."""
    few = column_names(["A b", "a-B"])
    many = column_names(["zz", "A b", "other", "a-B", "A  B"])
    assert few["A b"] == many["A b"]
    assert few["a-B"] == many["a-B"]


@pytest.mark.parametrize("key", ["_sdc_deleted_at", "_SDC_deletedAt", "_sdc", "_sdc-x"])
def test_no_column_is_called_like_a_loader_s_own(key: str) -> None:
    """No key becomes one of the columns that loaders add."""
    assert not column_names([key])[key].startswith("_sdc_")


def test_no_column_is_called_like_the_rescued_data() -> None:
    """A property called like the tap's own column gives way to it."""
    names = column_names(["_rescued_data", "_rescuedData"])
    assert "_rescued_data" not in names.values()
    assert len(set(names.values())) == 2


@given(keys)
def test_column_names_are_safe_and_unique(found: list[str]) -> None:
    """Whatever keys are, each has its own column of a form that every loader stores."""
    names = column_names(found)
    assert list(names) == found
    assert len(set(names.values())) == len(found)
    for name in names.values():
        assert SAFE.fullmatch(name)
        assert len(name.encode()) <= 63
        assert not name.startswith("_sdc_")


@given(keys, st.randoms(use_true_random=False))
def test_column_names_do_not_depend_on_the_order(found: list[str], random: object) -> None:
    """The order of a dataset's properties changes no name."""
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert column_names(found) == column_names(shuffled)


@given(st.from_regex(r"[a-z][a-z0-9]{0,10}(_[a-z0-9]{1,10}){0,3}", fullmatch=True), keys)
def test_a_key_in_form_is_its_own_name(key: str, others: list[str]) -> None:
    """A key that already is in the form keeps its name, whatever other keys there are."""
    assert column_names([key, *(other for other in others if other != key)])[key] == key


@given(st.text(max_size=60))
def test_folding_is_done_once(text: str) -> None:
    """A folded name folds to itself."""
    assert fold(fold(text)) == fold(text)


def test_ids_in_lower_case_are_shortened_alike() -> None:
    """A suffix is in lower case whichever case the id has."""
    dataset = Dataset(str(uuid.UUID(IDS[0])), "---")
    assert stream_names([dataset], {}) == {dataset.dataset_id: "dataset_00000001"}
