"""What arrives in databases when the real tap is piped into the real target-postgres."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_orgvue.simulator import Dataset, Orgvue, Property, demo_tenant
from tests.support.datasets import people
from tests.support.loaders import Database, Loaded, load, make_database
from tests.support.runs import discover, only, select

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

CHANGELOG = Path(__file__).resolve().parents[2] / "CHANGELOG.md"
LONG_KEY = "A property whose key is longer than a name in Postgres may be, by some way: 80 ch"


def load_postgres(
    orgvue: Orgvue,
    database: Database,
    catalog: dict[str, Any] | None = None,
    *,
    tap: dict[str, Any] | None = None,
    target: dict[str, Any] | None = None,
) -> Loaded:
    """Load into Postgres, and expect that all goes well."""
    loaded = load(
        "target-postgres",
        {**database.target_config, **(target or {})},
        {**orgvue.config, **(tap or {})},
        catalog or discover(orgvue.config),
    )
    assert loaded.codes == (0, 0), loaded.log
    return loaded


def batches(folder: Path) -> dict[str, Any]:
    """The settings of a tap that writes files for the loader to read."""
    folder.mkdir()
    return {
        "batch_config": {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": folder.as_uri()},
            "batch_size": 1000,
        }
    }


def test_the_demo_tenant_arrives_whole(database: Database) -> None:
    """Every dataset becomes a table with as many rows as it has."""
    with Orgvue(demo_tenant()) as orgvue:
        load_postgres(orgvue, database)
        expected = sorted(len(dataset.rows) for dataset in orgvue.tenant.datasets)
    assert len(database.tables()) == len(expected)
    assert sorted(database.count(table) for table in database.tables()) == expected


def test_column_types_are_those_of_the_properties(orgvue: Orgvue, database: Database) -> None:
    """Text, numbers, booleans, dates and instants are columns of such types, not all text."""
    load_postgres(orgvue, database)
    assert database.columns("people") == {
        "_id": "text",
        "id": "text",
        "full_name": "text",
        "salary": "numeric",
        "on_leave": "boolean",
        "start_date": "date",
        "_modified_at": "timestamp without time zone",
        "_rescued_data": "text",
    }


def test_values_arrive_exactly(serve: Callable[..., Orgvue], database: Database) -> None:
    """Numbers, texts, dates and nulls in the table are those of the dataset."""
    rows: list[dict[str, object]] = [
        {"n": 9007199254740993, "t": "", "d": "2022-01-02T00:00:00.000Z", "b": False},
        {"n": 0.1, "t": "Zoë\n🎉 'quoted' \\N", "d": "2022-01-02", "b": True},
        {"n": None, "t": None, "d": None, "b": None},
    ]
    properties = [
        Property("n", "number"),
        Property("t", "text"),
        Property("d", "date"),
        Property("b", "boolean"),
    ]
    load_postgres(serve(Dataset("Values", properties=properties, rows=rows)), database)
    assert database.ask('select n, t, d, b from "values" order by _modified_at') == [
        (Decimal(9007199254740993), "", date(2022, 1, 2), False),
        (Decimal("0.1"), "Zoë\n🎉 'quoted' \\N", date(2022, 1, 2), True),
        (None, None, None, None),
    ]


def test_a_second_run_updates_rows_by_their_key(orgvue: Orgvue, database: Database) -> None:
    """A row that changed is changed in the table, a new one is added, and none is there twice."""
    load_postgres(orgvue, database)
    orgvue.dataset("People").update(0, salary=99.5)
    orgvue.dataset("People").add({"id": "P5", "salary": 7})
    load_postgres(orgvue, database)
    assert database.count("people") == 6
    found = dict(database.ask("select id, salary from people where id in ('P0', 'P1', 'P5')"))
    assert found == {"P0": Decimal("99.5"), "P1": 1001, "P5": 7}
    keys = database.ask(
        "select a.attname from pg_index i join pg_attribute a "
        "on a.attrelid = i.indrelid and a.attnum = any(i.indkey) "
        "where i.indrelid = 'orgvue.people'::regclass and i.indisprimary"
    )
    assert keys == [("_id",)]


def odd_dataset() -> Dataset:
    """A dataset of keys that loaders stumble over as column names."""
    keys = ["salary %", 'say "hi"', LONG_KEY, "Status", "status", "STATUS", "1st", "_sdc_x", "Ä.b"]
    return Dataset(
        "50% - odd/names",
        properties=[Property(key, "text") for key in keys],
        rows=[{key: f"{key} {number}" for key in keys} for number in range(3)],
    )


def test_odd_keys_become_columns_that_hold_their_values(
    serve: Callable[..., Orgvue], database: Database
) -> None:
    """Percent signs, quotes, 80 characters and keys that differ only in case are all loaded."""
    orgvue = serve(odd_dataset())
    for settings in ({}, {"use_copy": True}):
        load_postgres(orgvue, database, target=settings)
    (table,) = database.tables()
    columns = [name for name in database.columns(table) if name not in _GENERATED]
    assert len(columns) == len({name.lower() for name in columns}) == 9
    row = database.ask(f'select {", ".join(columns)} from "{table}" order by 1')[0]  # noqa: S608
    assert set(row) == {f"{prop.key} 0" for prop in orgvue.tenant.datasets[0].properties}


_GENERATED = {"_id", "_modified_at", "_rescued_data"}


def test_odd_keys_that_appear_later_are_added(
    serve: Callable[..., Orgvue], database: Database
) -> None:
    """A column that is new in the second run arrives, whatever its key in Orgvue is."""
    orgvue = serve(people(2))
    load_postgres(orgvue, database)
    orgvue.dataset("People").add_property(Property('bonus %s "net"', "number"), [1, 2.5])
    load_postgres(orgvue, database)
    assert database.columns("people")["bonus_pct_s_net"] == "numeric"
    assert database.ask("select bonus_pct_s_net from people order by id") == [
        (1,),
        (Decimal("2.5"),),
    ]


def instants() -> Dataset:
    """A dataset with calendar dates in both forms and instants around midnight."""
    return Dataset(
        "Days",
        properties=[Property("day", "date")],
        rows=[
            {"day": "2022-07-02", "_modifiedAt": "2022-07-02T00:00:00.000Z"},
            {"day": "2022-07-02T00:00:00.000Z", "_modifiedAt": "2022-07-02T23:59:59.123Z"},
        ],
    )


RIGHT_DAYS = [
    (date(2022, 7, 2), datetime(2022, 7, 2)),  # noqa: DTZ001 - as the column has it
    (date(2022, 7, 2), datetime(2022, 7, 2, 23, 59, 59, 123000)),  # noqa: DTZ001 - likewise
]


def test_calendar_dates_stay_on_a_server_in_another_zone(
    serve: Callable[..., Orgvue], postgres_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A date is the same day on a server in New York; nothing shifts it."""
    monkeypatch.delenv("PGTZ", raising=False)
    database = make_database(postgres_uri, "new_york", zone="America/New_York")
    load_postgres(serve(instants()), database)
    assert database.ask("show timezone") == [("America/New_York",)]
    assert database.ask("select distinct day from days") == [(date(2022, 7, 2),)]


def test_instants_are_right_in_another_zone_with_pgtz(
    serve: Callable[..., Orgvue],
    postgres_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `PGTZ=UTC`, as the README says, INSERT stores instants in UTC on that server."""
    database = make_database(postgres_uri, "new_york_pgtz", zone="America/New_York")
    monkeypatch.setenv("PGTZ", "UTC")
    load_postgres(serve(instants()), database)
    assert database.ask("select day, _modified_at from days order by 2") == RIGHT_DAYS


def test_instants_are_right_in_another_zone_with_copy(
    serve: Callable[..., Orgvue], postgres_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `use_copy`, instants are stored in UTC on a server in any zone."""
    monkeypatch.delenv("PGTZ", raising=False)
    database = make_database(postgres_uri, "new_york_copy", zone="America/New_York")
    load_postgres(serve(instants()), database, target={"use_copy": True})
    assert database.ask("select day, _modified_at from days order by 2") == RIGHT_DAYS


def test_only_what_is_selected_arrives(serve: Callable[..., Orgvue], database: Database) -> None:
    """A deselected stream makes no table, and a deselected column none in its table."""
    orgvue = serve(people(), people(3, "Leavers"))
    catalog = only(discover(orgvue.config), "people")
    select(catalog, "people", "salary", "full_name", selected=False)
    load_postgres(orgvue, database, catalog)
    assert database.tables() == ["people"]
    assert not {"salary", "full_name"} & set(database.columns("people"))
    assert database.count("people") == 5


def test_batch_files_are_loaded_with_copy(
    serve: Callable[..., Orgvue], database: Database, postgres_uri: str, tmp_path: Path
) -> None:
    """BATCH with `use_copy`, the recipe for large tenants, loads what RECORD messages do."""
    orgvue = serve(people(2500), odd_dataset())
    recipe = {"use_copy": True, "validate_records": False}
    for run in ("first", "second"):
        loaded = load_postgres(orgvue, database, tap=batches(tmp_path / run), target=recipe)
        assert loaded.state
    by_records = make_database(postgres_uri, "by_records")
    load_postgres(orgvue, by_records)
    assert database.tables() == by_records.tables()
    for table in database.tables():
        columns = ", ".join(f'"{name}"' for name in by_records.columns(table))
        query = f'select {columns} from "{table}" order by _id'  # noqa: S608
        assert database.ask(query) == by_records.ask(query)
    assert database.count("people") == 2500


def test_a_table_with_an_object_column_can_be_changed(
    serve: Callable[..., Orgvue], database: Database
) -> None:
    """A table whose `_rescued_data` is JSONB loads on after the changelog's statement."""
    orgvue = serve(people(3))
    orgvue.dataset("People").update(0, salary="N/A")
    load_postgres(orgvue, database)
    as_before = "jsonb using coalesce(_rescued_data, 'null')::jsonb"
    database.ask(f"alter table people alter column _rescued_data type {as_before}")
    changes = (line for line in CHANGELOG.read_text().split("`") if "_rescued_data TYPE" in line)
    database.ask(next(changes))
    orgvue.dataset("People").update(1, salary="much")
    load_postgres(orgvue, database)
    assert database.ask("select _rescued_data from people order by id") == [
        ('{"salary":"N/A"}',),
        ('{"salary":"much"}',),
        (None,),
    ]


def test_values_that_do_not_fit_are_to_be_found_in_sql(
    serve: Callable[..., Orgvue], database: Database
) -> None:
    """Text in a number's column stops no load: _rescued_data has it as JSON, else SQL's null."""
    orgvue = serve(people(2))
    orgvue.dataset("People").update(0, salary="N/A")
    load_postgres(orgvue, database)
    assert database.ask("select id from people where _rescued_data is not null") == [("P0",)]
    query = "select salary, _rescued_data::jsonb->>'salary' from people order by id"
    assert database.ask(query) == [
        (None, "N/A"),
        (1001, None),
    ]
