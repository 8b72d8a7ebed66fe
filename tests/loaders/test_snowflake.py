"""What arrives in Snowflake when the real tap is piped into the real target-snowflake.

fakesnow stands in for Snowflake: target-snowflake's own SQL runs in DuckDB, tables are asked in
Snowflake's SQL, and types are told by Snowflake's names. What it cannot show, and why:

- Signing in, roles, warehouses and cost: fakesnow takes whatever it is given.
- `PUT`, `REMOVE` and file formats of the user's stage, and queries of staged files: fakesnow has
  none, `tests/fakesnow_account.py` reads the staged lines into a table instead.
- Streams that are stored at the same time, as the loader does in threads: fakesnow's merges
  disturb one another, so the loader is told to store one after another.
- That names which differ in case alone are one name only with `quoted_identifiers_ignore_case`,
  the loader's default: in DuckDB they always are.
- Lengths of names and texts, and how many columns a table may have: DuckDB has other limits. The
  tap's own for names is held by `tests/schema/test_naming.py`; here 301 columns are seen to load.
- That Snowflake drops the offset of an instant: DuckDB heeds it. The tap sends `Z` alone, which
  `tests/records/test_values.py` holds.
- Altered column types, Snowpipe, Arrow files: the tap gives no cause for them.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.support.datasets import people
from tests.support.runs import discover, only, select
from tests.support.snowflake import GENERATED, Snowflake, running_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.loaders import Loaded
    from tests.support.snowflake import Sql

ODD_KEYS = (
    *("Straße", "Strasse", "STATUS", "Status", "status", "a/b", "a-b", "a.b", "a b"),
    *("50%", "Stra%e", "1st", "_sdc_x", "user", "order", "select", "'q'", "$1:x"),
)
WIDTH = 301
PEOPLE = 250


def odd_names() -> Dataset:
    """A dataset whose keys are unusual or reserved, each cell being its key."""
    properties = [Property(key) for key in ODD_KEYS]
    return Dataset("Straße 50%-a/b", properties=properties, rows=[{key: key for key in ODD_KEYS}])


def values() -> Dataset:
    """A dataset with values of each declared type that are easily damaged."""
    rows: list[dict[str, object]] = [
        {
            "n": -0.1,
            "t": "Zoë\n🎉 'q' \"q\" \\N \\",
            "d": "2022-07-02",
            "b": True,
            "_modifiedAt": "2026-03-01T00:00:00.000Z",
        },
        {
            "n": 2**53 - 1,
            "t": "",
            "d": "2022-07-02T00:00:00.000Z",
            "b": False,
            "_modifiedAt": "2026-03-02T23:59:59.123Z",
        },
        {"n": None, "t": None, "d": None, "b": None, "_modifiedAt": "2026-03-03T00:00:00.000Z"},
    ]
    kinds = {"n": "number", "t": "text", "d": "date", "b": "boolean"}
    properties = [Property(key, kind) for key, kind in kinds.items()]
    return Dataset("Values", properties=properties, rows=rows)


def wide() -> Dataset:
    """A dataset of very many properties, each cell being its property's number."""
    keys = [f"Property {number}" for number in range(WIDTH)]
    rows = [{key: number for number, key in enumerate(keys)} for _ in range(2)]
    return Dataset("Wide", properties=[Property(key, "number") for key in keys], rows=rows)


def keyless() -> Dataset:
    """A dataset whose rows nothing identifies, two being equal."""
    rows = [{"n": 1}, {"n": 1}, {"n": 2}]
    return Dataset("Keyless", generated=(), properties=[Property("n", "number")], rows=rows)


@dataclass(frozen=True)
class Loads:
    """Three loads of one tenant, and what was in the account after each.

    Attributes:
        first: After everything was loaded.
        second: After a row of `People` had been removed, one changed, one added, and a property
            added; rows that are gone are marked.
        third: After another row had been removed; rows that are gone are deleted.
        loaded: What each load left.
        files: The batch files that are still there.
    """

    first: Snowflake
    second: Snowflake
    third: Snowflake
    loaded: list[Loaded]
    files: list[Path]


def load_thrice(folder: Path, sql: Sql, means: str) -> Loads:
    """Load a tenant into an account, change it, load it again, and once more."""
    account, files = Snowflake(folder / "account", sql), folder / "files"
    account.folder.mkdir()
    files.mkdir()
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": files.as_uri()},
        "batch_size": 200,
    }
    datasets = [
        people(PEOPLE),
        values(),
        odd_names(),
        wide(),
        keyless(),
        Dataset("Strasse 50%-A/B"),
    ]
    with Orgvue(datasets) as orgvue:
        config = {**orgvue.config, "emit_activate_version_messages": True}
        if means == "batch":
            config["batch_config"] = batches
        everything = discover(config)
        for stream in ("orgvue_datasets", "orgvue_properties"):
            select(everything, stream)
        loaded = [account.load(config, everything)]
        first = account.as_it_is(folder / "first")

        changed = orgvue.dataset("People")
        changed.remove(4)
        changed.update(0, salary=99.5, **{"Full Name": "Straße"})
        changed.update(1, salary="N/A")
        changed.add({"id": "NEW", "salary": 7})
        changed.add_property(Property('Bonus 50% "net"', "number"), [2.5])
        catalog = only(discover(config), "people")
        loaded.append(account.load(config, catalog, loaded[-1].state))
        second = account.as_it_is(folder / "second")

        changed.remove(3)
        loaded.append(account.load(config, catalog, loaded[-1].state, hard_delete=True))
    return Loads(first, second, account, loaded, list(files.iterdir()))


@pytest.fixture(scope="module")
def loads_by(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Loads]]:
    """The loads by `record` messages and by `batch` files; both are begun at once."""
    with (
        running_sql() as sql,
        pytest.MonkeyPatch.context() as patch,
        ThreadPoolExecutor() as pool,
    ):
        # Neither the tap's machine nor the loader's need be in UTC.
        patch.setenv("TZ", "America/New_York")
        begun = {
            means: pool.submit(load_thrice, tmp_path_factory.mktemp(means), sql, means)
            for means in ("record", "batch")
        }
        yield lambda means: begun[means].result()


@pytest.fixture(params=["record", "batch"])
def loads(request: pytest.FixtureRequest, loads_by: Callable[[str], Loads]) -> Loads:
    """The loads, by either means."""
    return loads_by(request.param)


def test_every_stream_is_a_table(loads: Loads) -> None:
    """Each dataset is a table in the schema that was set, `-` and `/` in its name or not."""
    assert loads.first.ask("select count(*) from orgvue_datasets") == [(6,)]
    assert [re.sub("_[0-9A-F]{8}$", "_…", table) for table in loads.first.tables()] == [
        "KEYLESS",
        "ORGVUE_DATASETS",
        "ORGVUE_PROPERTIES",
        "PEOPLE",
        "STRASSE_50_PCT_A_B_…",
        "STRASSE_50_PCT_A_B_…",
        "VALUES",
        "WIDE",
    ]


def test_column_types_are_those_of_the_properties(loads: Loads) -> None:
    """Text, numbers, booleans, dates and instants are columns of such types, not all text."""
    assert loads.first.tables()["PEOPLE"] == {
        "_ID": "TEXT",
        "ID": "TEXT",
        "FULL_NAME": "TEXT",
        "SALARY": "FLOAT",
        "ON_LEAVE": "BOOLEAN",
        "START_DATE": "DATE",
        "_MODIFIED_AT": "TIMESTAMP_NTZ",
        "_RESCUED_DATA": "TEXT",
    }


def test_values_arrive_exactly(loads: Loads) -> None:
    """Numbers, texts, dates, instants in UTC and nulls in the table are those of the dataset."""
    query = 'select n, t, d, b, _modified_at, _rescued_data from "VALUES" order by _modified_at'
    assert loads.first.ask(query) == [
        (-0.1, "Zoë\n🎉 'q' \"q\" \\N \\", "2022-07-02", True, "2026-03-01 00:00:00", None),
        (2**53 - 1, "", "2022-07-02", False, "2026-03-02 23:59:59.123000", None),
        (None, None, None, None, "2026-03-03 00:00:00", None),
    ]


def test_odd_keys_become_columns_that_hold_their_values(loads: Loads) -> None:
    """Keys that differ in case or in `ß` alone, hold `%` or are SQL's words, each have a column."""
    found = loads.first.ask(
        "select key, upper(column_name), upper(stream_name) from orgvue_properties "
        "where startswith(stream_name, 'strasse')"
    )
    columns = {key: column for key, column, _ in found}
    (table,) = {table for _, _, table in found}
    assert columns.keys() == set(ODD_KEYS)
    assert loads.first.tables()[table].keys() - GENERATED == set(columns.values())
    listed = ", ".join(f'"{columns[key]}"' for key in ODD_KEYS)
    assert loads.first.ask(f'select {listed} from "{table}"') == [ODD_KEYS]  # noqa: S608


def test_hundreds_of_columns_are_loaded(loads: Loads) -> None:
    """A dataset of 301 properties is a table of as many columns, each with its own values."""
    columns = [name for name in loads.first.tables()["WIDE"] if name not in GENERATED]
    assert columns == [f"PROPERTY_{number}" for number in range(WIDTH)]
    rows = loads.first.ask(f"select {', '.join(columns)} from wide")  # noqa: S608
    assert rows == [tuple(range(WIDTH))] * 2


def test_rows_without_a_key_are_all_loaded(loads: Loads) -> None:
    """Rows that nothing identifies are added as they are, equal ones too."""
    assert loads.first.ask("select n from keyless order by n") == [(1,), (1,), (2,)]


def test_a_second_run_updates_rows_by_their_key(loads: Loads) -> None:
    """Changed rows are changed, new ones added, none is doubled, and a new column is there."""
    count = "select count(*), count(distinct _id), count(_sdc_deleted_at) from people"
    assert loads.first.ask(count) == [(PEOPLE, PEOPLE, 0)]
    assert loads.second.ask(count) == [(PEOPLE + 1, PEOPLE + 1, 1)]
    assert loads.second.tables()["PEOPLE"]["BONUS_50_PCT_NET"] == "FLOAT"
    query = (
        "select id, full_name, salary, bonus_50_pct_net, "
        "parse_json(_rescued_data):salary::varchar, "
        "_sdc_deleted_at is not null from people where id in ('P0', 'P1', 'P2', 'P4', 'NEW')"
    )
    assert sorted(loads.second.ask(query)) == [
        ("NEW", None, 7, None, None, False),
        ("P0", "Straße", 99.5, 2.5, None, False),
        ("P1", "Person 1", None, None, "N/A", False),
        ("P2", "Person 2", 1002, None, None, False),
        ("P4", "Person 4", 1004, None, None, True),
    ]


def test_rows_that_are_gone_from_orgvue_are_gone(loads: Loads) -> None:
    """With `hard_delete` the table has the rows of the last run, and no others."""
    expected = {"NEW", *(f"P{number}" for number in range(PEOPLE))} - {"P3", "P4"}
    ids = [name for (name,) in loads.third.ask("select id from people")]
    assert sorted(ids) == sorted(expected)


def test_batch_files_are_loaded_as_record_messages_are(loads_by: Callable[[str], Loads]) -> None:
    """Tables loaded from batch files have the columns and the rows of those that records made."""
    by_records, by_batches = loads_by("record").third, loads_by("batch").third
    tables = by_records.tables()
    assert by_batches.tables() == tables
    for table, columns in tables.items():
        query = f'select {", ".join(map(json.dumps, columns))} from "{table}"'  # noqa: S608
        assert sorted(by_batches.ask(query), key=repr) == sorted(by_records.ask(query), key=repr)


def test_batch_files_are_gone_once_they_are_loaded(loads_by: Callable[[str], Loads]) -> None:
    """The loader removes the tap's files, so that nobody else has to."""
    assert all(" 0 records, " in loaded.log for loaded in loads_by("batch").loaded)
    assert loads_by("batch").files == []


def test_the_state_comes_out(loads: Loads) -> None:
    """The loader passes on the state behind the rows it loaded, of every stream and run."""
    rows = [
        {
            stream: bookmark["orgvue"]["rows"]
            for stream, bookmark in loaded.state["bookmarks"].items()
            if "orgvue" in bookmark
        }
        for loaded in loads.loaded
        if loaded.state
    ]
    assert [found["people"] for found in rows] == [PEOPLE, PEOPLE, PEOPLE - 1]
    assert all(found.items() >= {"values": 3, "wide": 2, "keyless": 3}.items() for found in rows)
