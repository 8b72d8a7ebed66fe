"""Stream and column names: safe for every loader, unique, kept by their owners."""

from __future__ import annotations

import hashlib
import re
import unicodedata
import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_orgvue.orgvue.models import Dataset
from tap_orgvue.schema.naming import (
    column_names,
    fold,
    fold_key,
    is_safe_name,
    own_column_name,
    own_stream_name,
    shared_names,
    stream_names,
)
from tests.project.documents import DOCS

if TYPE_CHECKING:
    import random

SAFE = re.compile(r"[a-z_][a-z0-9_]*")

IDS = [f"{i:08X}-0000-4000-8000-000000000000" for i in range(1, 20)]

# Any text, lone surrogates included: JSON can carry them.
texts = st.text(st.characters(exclude_categories=()), max_size=80)

datasets = st.lists(
    st.tuples(st.uuids(), st.one_of(texts, st.sampled_from(["A b", "a-B", "A  B", "_a b"]))),
    max_size=12,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: [Dataset(str(dataset_id).upper(), name) for dataset_id, name in pairs])

keys = st.lists(
    st.one_of(
        texts,
        st.sampled_from(["id", "Id", "ID", "i d", "_id", "_Id", "_sdc_x", "fullName", "full_name"]),
        st.from_regex(r"_?[A-Za-z]{1,8}( |-|_)?[A-Za-z0-9]{0,8}", fullmatch=True),
    ),
    max_size=12,
    unique=True,
)


def hash_of(key: str, digits: int = 6) -> str:
    """The first digits of a key's hash."""
    return hashlib.sha256(key.encode()).hexdigest()[:digits]


def listed(*names: str) -> list[Dataset]:
    """Datasets with these names."""
    return [Dataset(IDS[i], name) for i, name in enumerate(names)]


def streams(*names: str, **pinned: str) -> list[str]:
    """The stream names of datasets with these names, in their order; `p0` pins the first."""
    pins = {IDS[int(position[1:])]: name for position, name in pinned.items()}
    return list(stream_names(listed(*names), pins).values())


def distinct(names: list[str]) -> bool:
    """Whether no two names are equal in any case."""
    return len({name.casefold() for name in names}) == len(names)


# --- one rule for streams and columns


WORDS = [
    # as people write
    ("People", "people"),
    ("WFP Position Dataset", "wfp_position_dataset"),
    ("Employee ID", "employee_id"),
    ("date-of-birth", "date_of_birth"),
    ("  -- Trimmed -- ", "trimmed"),
    ("a/b\\c.d\"e'f", "a_b_c_d_e_f"),
    ("snake_case", "snake_case"),
    ("TOTAL_COST", "total_cost"),
    ("1st", "_1st"),
    ("2026 plan", "_2026_plan"),
    ("x" * 62, "x" * 62),
    # as programs write
    ("id", "id"),
    ("fullName", "full_name"),
    ("EmployeeID", "employee_id"),
    ("HTTPServer", "http_server"),
    ("HRBPName", "hrbp_name"),
    ("FY2024Plan", "fy2024_plan"),
    ("q1Total", "q1_total"),
    # signs
    ("salary %", "salary_pct"),
    ("%FTE", "pct_fte"),
    ("100%", "_100_pct"),
    ("100 ％", "_100_pct"),  # noqa: RUF001 - a sign that East Asian texts hold
    ("# of FTE", "number_of_fte"),
    ("Cost ($)", "cost_usd"),
    ("$k", "usd_k"),
    ("Salary (£k)", "salary_gbp_k"),
    ("€perFTE", "eur_per_fte"),
    ("R&D", "r_d"),
    ("Headcount <50", "headcount_50"),
    ("20°C", "_20_deg_c"),
    # markup
    ("<b>Cost</b>", "cost"),
    ('<span style="color: red">Cost</span> centre', "cost_centre"),
    ("total<br/>cost", "total_cost"),
    ("<B>Cost</B>", "cost"),
    ("Cost<!-- per\nyear -->", "cost"),
    ("R&amp;D", "r_d"),
    ("Gr&ouml;&szlig;e&nbsp;1", "grosse_1"),
    ("&#163;k &#x25;", "gbp_k_pct"),
    ("&lt;b&gt;Cost&lt;/b&gt;", "cost"),
    ("Cost <GBP>", "cost_gbp"),
    # Latin
    ("Löhne & Größen", "lohne_grossen"),
    ("Größe", "grosse"),
    ("GRÖßE", "grosse"),
    ("GRÖẞE", "grosse"),
    ("Eßbar", "essbar"),
    ("großKunde", "gross_kunde"),
    ("Ça va, Señor?", "ca_va_senor"),
    ("İsim", "isim"),
    ("IŞIK ısı", "isik_isi"),  # noqa: RUF001 - Turkish
    ("Łódź", "lodz"),
    ("ŁÓDŹ", "lodz"),
    ("Ærøskøbing", "aeroskobing"),
    ("ÆRØSKØBING", "aeroskobing"),
    # Cyrillic, Greek, Armenian, Georgian
    ("Должность", "dolzhnost"),
    ("ДОЛЖНОСТЬ", "dolzhnost"),
    ("объектID", "obekt_id"),  # noqa: RUF001 - Russian
    ("датаРождения", "data_rozhdeniya"),
    ("Μισθός", "misthos"),
    ("ΜΙΣΘΌΣ", "misthos"),
    ("οδόςᾈδου", "odos_adoy"),
    ("обʼєкт", "obiekt"),
    ("Հայերեն", "hayeren"),
    ("ქართული", "kartuli"),
    # scripts without case
    ("部门", "bu_men"),
    ("部门ID", "bu_men_id"),
    ("IT部门", "it_bu_men"),
    ("部门name2", "bu_men_name2"),
    ("2024年", "_2024_nian"),
    ("フルネーム", "furunemu"),
    ("従業員の名前", "cong_ye_yuan_no_ming_qian"),
    ("IDなまえ", "id_namae"),
    ("なまえID", "namae_id"),
    ("なまえid", "namae_id"),
    ("ﾅﾏｴ", "namae"),
    ("부서명", "bu_seo_myeong"),
    ("اسم الموظف", "sm_lmwdhf"),
    ("שם עובד", "sm_vvd"),
    ("हिन्दी नाम", "hindi_nam"),
    ("٣ سنوات", "_3_snwt"),
    # signs that are pictures, and characters that are not seen
    ("🎉", "tada"),
    ("Party🎉Time", "party_tada_time"),
    ("👨‍👩‍👧", "man_woman_girl"),
    ("Sal\u200bary\u00ad", "salary"),
    ("\ufeffSalary", "salary"),
    ("a\u00a0b\u2003c\td", "a_b_c_d"),
    # one text in two forms
    ("cafe\u0301Cost", "cafe_cost"),
    ("caf\u00e9Cost", "cafe_cost"),
    ("I\u0307sim", "isim"),
    ("HRX\u0301name", "hr_xname"),
    ("ﬁne ①", "fine_1"),
    ("ﾊﾟ", "pa"),
]


@pytest.mark.parametrize("text,name", WORDS)
def test_a_text_becomes_words(text: str, name: str) -> None:
    """Streams and columns are named alike: words end where the original text shows it."""
    assert streams(text) == [name]
    assert column_names([text]) == {text: name}


def test_the_names_that_the_documentation_shows() -> None:
    """Each name in the documentation is the one that the tap gives."""
    page = (DOCS / "streams-and-names.md").read_text(encoding="utf-8")
    section = page.split("## Stream names")[1].split("## Names have owners")[0]
    shown = dict(re.findall(r"`([^`]+)` (?:becomes |\| )?`([^`]+)`", section))
    assert len(shown) == 12
    assert shown == {text: own_column_name(text) for text in shown}


@given(st.text("абвгдежзийклмнопрстуфхцчшщъыьэюяіїєґ", min_size=1, max_size=20))
def test_a_word_in_capitals_is_one_word(word: str) -> None:
    """Capitals whose transliteration has several letters break no word."""
    assert fold(word) == fold(word.upper()) == fold(word.capitalize())


@given(texts.filter(lambda text: not {"<", "&"} & set(text)))
def test_composed_and_decomposed_texts_agree(text: str) -> None:
    """A text has one name, in whichever normal form it is written."""
    forms = {fold(unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    assert forms == {fold(text)}


@given(texts)
def test_folding_is_done_once(text: str) -> None:
    """A folded name folds to itself."""
    assert fold(fold(text)) == fold(text)
    assert fold_key(fold_key(text)) == fold_key(text)


@given(texts)
def test_a_name_of_its_own_is_safe(text: str) -> None:
    """Whatever a key or a dataset is called, every loader stores the name that it is given."""
    assert is_safe_name(own_column_name(text))
    assert is_safe_name(own_stream_name(Dataset(IDS[0], text)))


# --- streams


@pytest.mark.parametrize("text", ["", "---", "???", "\u200b", "<b></b>", "ъь", "\ud800", "(¤)"])
def test_a_dataset_without_letters_or_digits_is_called_by_its_id(text: str) -> None:
    """Where nothing of a name is left, the stream carries the dataset's id."""
    assert streams(text) == ["dataset_00000001"]


def test_a_long_stream_name_is_cut() -> None:
    """A name over 62 bytes is cut, and carries the dataset's id."""
    assert streams("x" * 80) == ["x" * 53 + "_00000001"]
    assert streams("x" * 52 + " yyy zzz www") == ["x" * 52 + "_00000001"]
    assert streams("部门" * 40) == ["bu_men_" * 7 + "bu_m_00000001"]


def test_a_dataset_loses_its_leading_underscore() -> None:
    """Only Orgvue's generated keys have a meaning of their own with an underscore before them."""
    assert streams("_Plan") == ["plan"]


def test_every_one_of_colliding_datasets_carries_its_id() -> None:
    """Of datasets whose names fold together, none keeps the plain name."""
    assert streams("Plan A", "plan-a", "plan_a", "Other") == [
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
    assert streams("Costs", "Plan A", p1="Costs") == ["costs_00000001", "Costs"]


def test_a_dataset_named_like_another_s_suffixed_name() -> None:
    """A suffix grows where a dataset is called as another would be with its suffix."""
    assert streams("Plan A", "plan a", "plan a 00000001") == [
        "plan_a_000000010",
        "plan_a_00000002",
        "plan_a_00000001",
    ]


def test_ids_that_begin_alike_are_told_apart() -> None:
    """Where the first digits of ids are the same, all but the first id get more of them."""
    found = [Dataset(f"00000001-{part}000-4000-8000-000000000000", "Plan") for part in "12345"]
    for order in (found, found[::-1]):
        names = stream_names(order, {})
        assert [names[dataset.dataset_id] for dataset in found] == [
            "plan_00000001",
            *(f"plan_00000001{part}" for part in "2345"),
        ]


def test_an_id_in_lower_case_is_the_same_id() -> None:
    """Ids count in either case, and a suffix is in lower case."""
    small = Dataset(str(uuid.UUID(IDS[0])), "---")
    assert stream_names([small], {}) == {small.dataset_id: "dataset_00000001"}
    assert stream_names([small], {}, {IDS[0]: "people"}) == {small.dataset_id: "people"}
    assert stream_names([small], {IDS[0]: "staff"}) == {small.dataset_id: "staff"}


@given(datasets, st.randoms(use_true_random=False))
def test_stream_names(found: list[Dataset], dice: random.Random) -> None:
    """Each dataset has a safe name of its own, whatever order the list has."""
    names = stream_names(found, {})
    assert list(names) == [dataset.dataset_id for dataset in found]
    assert distinct(list(names.values()))
    assert all(SAFE.fullmatch(name) and is_safe_name(name) for name in names.values())
    dice.shuffle(found)
    assert stream_names(found, {}) == names


# --- columns


@pytest.mark.parametrize(
    "key,column",
    [
        ("_id", "_id"),
        ("_Id", "_id"),
        ("_modifiedAt", "_modified_at"),
        ("_span_of_control", "_span_of_control"),
        ("\ufeff_id", "_id"),
        ("_1st", "_1st"),
        ("__x", "_x"),
        ("_%", "_pct"),
        ("_sdc_deleted_at", "sdc_deleted_at"),
        ("_SDC_deletedAt", "sdc_deleted_at"),
        ("_sdc", "sdc"),
        ("_sdcx", "_sdcx"),
    ],
)
def test_a_leading_underscore_of_a_key_stays(key: str, column: str) -> None:
    """Orgvue's generated properties keep their underscore, unless it makes a loader's column."""
    assert column_names([key]) == {key: column}


@pytest.mark.parametrize("key", ["", "_", "???", "\u200b", "ъ", "<br>", "🏻"])
def test_a_key_without_letters_or_digits_carries_a_hash(key: str) -> None:
    """Where nothing of a key is left, a hash tells it from others."""
    assert column_names([key]) == {key: f"property_{hash_of(key)}"}


def test_a_long_column_name_is_cut() -> None:
    """A name over 62 bytes is cut, and carries a hash of the key."""
    for key, stem in (("x" * 63, "x" * 55), ("Gr" + "ö" * 78, "gr" + "o" * 53)):
        assert column_names([key]) == {key: f"{stem}_{hash_of(key)}"}
    first, second = column_names(["日本" * 40, "日本" * 40 + "!"]).values()
    assert first != second
    assert first[:-6] == second[:-6]


def test_the_key_in_form_keeps_its_name() -> None:
    """Of keys that fold together, the one that already has the form keeps it."""
    found = ["full name", "full_name", "fullName"]
    for order in (found, found[::-1]):
        assert column_names(order) == {
            "full_name": "full_name",
            "full name": f"full_name_{hash_of('full name')}",
            "fullName": f"full_name_{hash_of('fullName')}",
        }


def test_hashed_names_do_not_depend_on_the_others() -> None:
    """A name with a hash is the same whatever other keys there are."""
    few = column_names(["A b", "a-B"])
    many = column_names(["zz", "A b", "other", "a-B", "A  B"])
    assert few.items() <= many.items()


def test_a_hash_grows_where_its_name_is_taken() -> None:
    """A key that is called as another would be with its hash does not meet it."""
    taken = f"full_name_{hash_of('full name')}"
    names = column_names(["full name", "full_name", taken])
    assert names[taken] == taken
    assert names["full name"] == f"full_name_{hash_of('full name', 7)}"


def test_no_column_is_called_like_the_rescued_data() -> None:
    """A property called like the tap's own column gives way to it."""
    names = column_names(["_rescued_data", "_rescuedData"])
    assert names == {key: f"_rescued_data_{hash_of(key)}" for key in names}


@given(keys, st.randoms(use_true_random=False))
def test_column_names(found: list[str], dice: random.Random) -> None:
    """Each key has a safe name of its own, whatever order they have."""
    names = column_names(found)
    assert list(names) == found
    assert distinct(list(names.values()))
    assert all(SAFE.fullmatch(name) and is_safe_name(name) for name in names.values())
    dice.shuffle(found)
    assert column_names(found) == names


@pytest.mark.slow
@given(st.from_regex(r"[a-z][a-z0-9]{0,10}(_[a-z0-9]{1,10}){0,3}", fullmatch=True), keys)
def test_a_key_in_form_is_its_own_name(key: str, others: list[str]) -> None:
    """A key that already is in the form keeps its name, whatever other keys there are."""
    assert column_names([key, *(other for other in others if other != key)])[key] == key


# --- owners


def test_an_earlier_stream_keeps_its_name() -> None:
    """Of two datasets with one name, the one that had it keeps it; the newcomer has the suffix."""
    names = stream_names(listed("People", "People"), {}, {IDS[0]: "people"})
    assert names == {IDS[0]: "people", IDS[1]: "people_00000002"}


def test_a_renamed_dataset_keeps_its_stream() -> None:
    """A dataset keeps its stream under another name, and so does one that takes its old name."""
    names = stream_names(listed("Staff", "People"), {}, {IDS[0]: "people"})
    assert names == {IDS[0]: "people", IDS[1]: "people_00000002"}


def test_a_stream_of_a_dataset_that_is_gone_is_given_to_nobody() -> None:
    """A newcomer does not inherit the stream of a dataset that is no longer listed."""
    names = stream_names(listed("People"), {}, {IDS[5]: "PEOPLE"})
    assert names == {IDS[0]: "people_00000001"}


def test_a_pin_takes_a_stream_from_its_owner() -> None:
    """A pin wins over an owner, whose dataset then is named anew."""
    names = stream_names(
        listed("People", "Staff"), {IDS[1]: "People"}, {IDS[0]: "people", IDS[1]: "staff"}
    )
    assert names == {IDS[0]: "people_00000001", IDS[1]: "People"}


def test_the_name_that_a_pin_replaces_is_given_to_nobody() -> None:
    """The table of a stream that was pinned anew is not filled with another dataset's rows."""
    names = stream_names(listed("People", "People"), {IDS[0]: "staff"}, {IDS[0]: "people"})
    assert names == {IDS[0]: "staff", IDS[1]: "people_00000002"}


def test_an_earlier_column_keeps_its_name() -> None:
    """A key keeps its column although a newcomer is already called so."""
    owners = {"Cost Centre": "cost_centre"}
    for found in (["Cost Centre", "cost_centre"], ["cost_centre", "Cost Centre"]):
        assert column_names(found, owners) == {
            "Cost Centre": "cost_centre",
            "cost_centre": f"cost_centre_{hash_of('cost_centre')}",
        }


def test_a_column_of_a_key_that_is_gone_is_given_to_nobody() -> None:
    """A newcomer does not inherit the column of a key that is no longer there."""
    name = f"bonus_{hash_of('Bonus')}"
    assert column_names(["Bonus"], {"bonus!": "bonus"}) == {"Bonus": name}
    assert column_names(["Bonus"], reserved=["BONUS"]) == {"Bonus": name}


def test_a_pin_wins_over_the_owner_of_a_column() -> None:
    """A pinned name is its key's; an owner of that name is named anew, and so are newcomers."""
    names = column_names(
        ["Bonus %", "Bonus", "bonus!"], {"Bonus": "bonus"}, {"Bonus %": "bonus", "gone": "extra"}
    )
    assert names["Bonus %"] == "bonus"
    assert names["Bonus"] == f"bonus_{hash_of('Bonus')}"
    assert names["bonus!"] == f"bonus_{hash_of('bonus!')}"
    assert column_names(["extra"], pins={"gone": "Extra"}) == {"extra": f"extra_{hash_of('extra')}"}


def test_of_two_owners_of_one_name_one_keeps_it() -> None:
    """A name that two owners claim is the first one's, whatever order they are in."""
    for owners in ({"a": "x", "b": "x"}, {"b": "x", "a": "x"}):
        assert column_names(["a", "b"], owners) == {"a": "x", "b": "b"}


def test_names_that_a_catalog_has_stay_as_they_are() -> None:
    """Owned names are kept to the letter, also where only their case tells them apart."""
    owners = {"Id": "Id", "id": "id", "salary %": "salary %"}
    assert column_names(list(owners), owners) == owners


@given(keys, keys, st.randoms(use_true_random=False))
def test_columns_keep_their_names_from_run_to_run(
    before: list[str], after: list[str], dice: random.Random
) -> None:
    """Keys that are added, and keys that go, rename no key of an earlier run and take no name."""
    owners = column_names(before)
    found = sorted({*after, *dice.sample(before, k=len(before) // 2)})
    names = column_names(found, owners)
    assert all(names[key] == owners[key] for key in found if key in owners)
    assert distinct(list({**owners, **names}.values()))
    assert all(SAFE.fullmatch(name) and is_safe_name(name) for name in names.values())
    dice.shuffle(found)
    assert column_names(found, owners) == names


@given(datasets, datasets, st.data())
def test_streams_keep_their_names_from_run_to_run(
    before: list[Dataset], after: list[Dataset], data: st.DataObject
) -> None:
    """Datasets that are added, renamed or gone rename no stream of an earlier run."""
    owners = stream_names(before, {})
    listed_now = {dataset.dataset_id: dataset for dataset in after}
    for dataset in before:
        if data.draw(st.booleans()):
            listed_now[dataset.dataset_id] = Dataset(dataset.dataset_id, data.draw(texts))
    names = stream_names(list(listed_now.values()), {}, owners)
    assert all(names[dataset_id] == owners[dataset_id] for dataset_id in names.keys() & owners)
    assert distinct(list({**owners, **names}.values()))


@given(
    keys,
    st.lists(texts, max_size=3, unique=True),
    st.permutations(["id", "FULL_NAME", "x"]),
)
def test_a_pinned_name_is_given_to_no_other_key(
    found: list[str], pinned: list[str], chosen: list[str]
) -> None:
    """Whatever keys and owners there are, a pinned name belongs to its key alone."""
    pins = dict(zip(pinned, chosen, strict=False))
    names = column_names([*found, *(key for key in pins if key not in found)], {"x": "id"}, pins)
    assert pins.items() <= names.items()
    assert distinct(list(names.values()))


# --- what others need to know of names


def test_a_name_of_its_own_can_be_worked_out() -> None:
    """What the rule for fresh names gives alone need not be kept; what collided must be."""
    names = column_names(["Employee ID", "A b", "a-B"])
    assert [key for key, name in names.items() if name == own_column_name(key)] == ["Employee ID"]
    people, plan, other = listed("People", "Plan A", "plan-a")
    streams_ = stream_names([people, plan, other], {})
    assert streams_[people.dataset_id] == own_stream_name(people)
    assert streams_[plan.dataset_id] != own_stream_name(plan)


def test_keys_that_share_a_name_are_reported() -> None:
    """Newcomers that fold together are told, and so is a newcomer with the owner that it met."""
    found = ["A b", "a-B", "full_name", "Full Name", "alone", "???", "!!!"]
    names = column_names(found)
    assert shared_names(names, {key: fold_key(key) for key in found}) == {
        "a_b": ["A b", "a-B"],
        "full_name": ["full_name", "Full Name"],
    }
    owners = {"bonus!": "BONUS"}
    names = owners | column_names(["Bonus"], owners)
    assert shared_names(names, {"Bonus": "bonus"}) == {"bonus": ["bonus!", "Bonus"]}


def test_no_newcomer_no_shared_name() -> None:
    """Who has a name from an earlier run, or a pin, shares it with nobody."""
    owners = column_names(["A b", "a-B"])
    assert shared_names(column_names(["A b", "a-B"], owners), {}) == {}
    names = column_names(["A b", "a-B"], pins={"A b": "first"})
    assert shared_names(names, {"a-B": fold_key("a-B")}) == {}


@given(keys, keys)
def test_who_did_not_get_a_name_shares_it(before: list[str], after: list[str]) -> None:
    """Every newcomer that lost a name to others is told of, and nothing else is."""
    owners = column_names(before)
    newcomers = {key: fold_key(key) for key in after if key not in owners}
    names = {**owners, **column_names(after, owners)}
    shared = shared_names(names, newcomers)
    for key, name in newcomers.items():
        if own_column_name(key) == name != names[key]:
            assert key in shared[name]
    for name, sharing in shared.items():
        assert any(newcomers.get(key) == name != names[key] for key in sharing)


@pytest.mark.parametrize(
    "name,safe",
    [
        ("people", True),
        ("People_2", True),
        ("_id", True),
        ("x" * 62, True),
        ("x" * 63, False),
        ("", False),
        ("org-design", False),
        ("1st", False),
        ("größe", False),
        ("people\n", False),
        ("_sdc_x", False),
        ("_SDC_x", False),
    ],
)
def test_which_names_every_loader_stores(name: str, *, safe: bool) -> None:
    """Letters, digits and underscores, at most 62, not like a loader's own columns."""
    assert is_safe_name(name) is safe
