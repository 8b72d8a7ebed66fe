"""`sources.yml` and the staging models: raw tables with clean names and live rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_orgvue.dbt.catalog import LINKS_KEYS
from tap_orgvue.dbt.text import is_plain_name, jinja_text, one_line, yaml_lines
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.naming import RESCUED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_orgvue.dbt.catalog import Table, TableColumn
    from tap_orgvue.dbt.roles import Ends

SOURCE = "orgvue"

_TYPES = {
    ColumnType.TEXT: "text",
    ColumnType.NUMBER: "number",
    ColumnType.BOOLEAN: "true or false",
    ColumnType.DATE: "date",
    ColumnType.DATE_TIME: "instant in UTC",
}

# Findings about data are warnings: the build goes on.
_WARNS = {"severity": "warn"}
_WARNS_OF_LIVE_ROWS = {**_WARNS, "where": "__live__"}

_SOURCES_HEADER = """\
# The raw tables, as the loader fills them. `where: __live__` leaves out rows that Orgvue has no
# more, see macros/live_rows.sql. Display names and types are those of the day of --discover.
"""
_MODELS_HEADER = """\
# Tests of the staging models, which hold live rows only.
"""


def sources_yml(tables: Sequence[Table], ends: Mapping[str, Ends], schema: str) -> str:
    """The project's `sources.yml`."""
    source = {
        "name": SOURCE,
        "description": "Datasets of Orgvue, loaded by tap-orgvue.",
        "schema": schema,
        "tables": [_source_table(table, ends.get(table.stream)) for table in tables],
    }
    lines = yaml_lines({"version": 2, "sources": [source]})
    return _SOURCES_HEADER + "\n".join(lines) + "\n"


def _source_table(table: Table, ends: Ends | None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": table.name, "description": _description(table)}
    if table.name != table.stream:
        found["identifier"] = _in_database(table.stream)
        found["quoting"] = {"identifier": True}
    columns = [
        _source_column(table, column, ends)
        for column in table.columns
        # dbt reads Jinja in the names of columns.
        if not set("{}") & set(column.raw)
    ]
    if table.has_rescued:
        columns.append(
            {
                "name": RESCUED,
                "description": "Values that do not fit their column: a JSON object in text.",
            }
        )
    found["columns"] = columns
    return found


def _in_database(name: str) -> str:
    """A name that dbt quotes, as the database has it: target-snowflake turns it into capitals."""
    text = jinja_text(name)
    return f"{{{{ {text} | upper if target.type == 'snowflake' else {text} }}}}"


def _description(table: Table) -> str:
    kind = f", type {table.facts.type}" if table.facts.type else ""
    dataset = f" Orgvue's dataset {table.dataset_id}." if table.dataset_id else ""
    return f"{one_line(table.title + kind)}.{dataset}"


def _source_column(table: Table, column: TableColumn, ends: Ends | None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column.raw, "description": column_text(table, column)}
    if not is_plain_name(column.raw):
        found["quote"] = True
    tests: list[Any] = []
    if is_plain_name(column.raw):
        tests += _key_tests(table, column, _WARNS_OF_LIVE_ROWS)
        if column.type is ColumnType.TEXT:
            tests += _relation_tests(table, column, ends, column.raw, "__live__")
    return {**found, "data_tests": tests}


def column_text(table: Table, column: TableColumn) -> str:
    """A column's description: display name, type, property, use in keys and trees."""
    parts = [f"{one_line(column.title)}, {_TYPES[column.type]}."]
    if column.key != column.title:
        parts.append(f"Property {one_line(column.key)}.")
    if column == table.auto_id:
        parts.append("The dataset's own key.")
    if table.tree and column == table.tree[0]:
        parts.append("The key in the hierarchy.")
    if table.tree and column == table.tree[1]:
        parts.append("The parent in the hierarchy.")
    return " ".join(parts)


def _relation(
    table: Table, column: TableColumn, ends: Ends | None
) -> tuple[Table, TableColumn] | None:
    """The table and the column that a column refers to; None without a reference."""
    if table.tree and column == table.tree[1]:
        return table, table.tree[0]
    if ends and column.key in LINKS_KEYS:
        target = ends.start if column.key == LINKS_KEYS[0] else ends.end
        return (target, target.auto_id) if target.auto_id else None
    return None


def _key_tests(table: Table, column: TableColumn, config: Mapping[str, str]) -> list[Any]:
    """The tests of a key: the loader's, which must hold, the dataset's own, and the tree's."""
    if table.key_columns == (column,):
        return ["unique", "not_null"]
    if column in table.key_columns:
        return ["not_null"]
    if column == table.auto_id or (table.tree and column == table.tree[0]):
        # After a row was deleted and made anew the raw table has its key twice.
        return [{name: {"config": dict(config)}} for name in ("unique", "not_null")]
    return []


def _relation_tests(
    table: Table, column: TableColumn, ends: Ends | None, name: str, where: str = ""
) -> list[Any]:
    """The test that a parent, or an end of a link, is there; `name` is the column's in SQL."""
    relation = _relation(table, column, ends)
    if relation is None:
        return []
    target, key = relation
    conditions = [where] if where else []
    if target == table and column.type is ColumnType.TEXT:
        # An empty text is no parent.
        conditions.append(f"{name} <> ''")
    config = {**_WARNS, "where": " and ".join(conditions)} if conditions else dict(_WARNS)
    arguments = {"to": f"ref('{target.model}')", "field": key.name}
    return [{"relationships": {"arguments": arguments, "config": config}}]


def keys_as_text(table: Table) -> set[TableColumn]:
    """Keys, parents and ends of links that are no text; they are staged as text, for joins."""
    tree = table.tree or ()
    ends = [column for column in table.columns if column.key in LINKS_KEYS and table.is_links]
    keys = [column for column in (table.auto_id, *tree, *ends) if column]
    return {column for column in keys if column.type is not ColumnType.TEXT}


def staging_yml(tables: Sequence[Table], ends: Mapping[str, Ends]) -> str:
    """The staging models' YAML: descriptions, and the tests that raw tables cannot have."""
    models = []
    for table in tables:
        columns = []
        for column in table.columns:
            tests: list[Any] = []
            if not is_plain_name(column.raw):
                # What its name is in the raw table, depends on the database.
                tests += _key_tests(table, column, _WARNS)
            if not is_plain_name(column.raw) or column in keys_as_text(table):
                tests += _relation_tests(table, column, ends.get(table.stream), column.name)
            text = column_text(table, column)
            columns.append({"name": column.name, "description": text, "data_tests": tests})
        models.append(
            {
                "name": table.model,
                "description": f"{_description(table)} Live rows only.",
                "columns": columns,
            }
        )
    return _MODELS_HEADER + "\n".join(yaml_lines({"version": 2, "models": models})) + "\n"


def staging_model(table: Table) -> str:
    """The SQL of a table's staging model."""
    as_text = keys_as_text(table)
    lines = [
        f"-- {_description(table)}",
        "-- Rows that are still in Orgvue, with names that SQL takes without quotes.",
        f"{{% set raw = source('{SOURCE}', '{table.name}') %}}",
        "select",
    ]
    if table.has_rescued:
        lines.append(f"    {{{{- rescued_columns({jinja_text(table.name)}) }}}}")
    columns = [*_staged_columns(table, as_text)]
    if table.has_rescued:
        columns.append((f"{RESCUED} as rescued_data", "values that do not fit their column"))
    lines += select_list(columns)
    lines += ["from {{ raw }}", "where {{ is_live(raw) }}"]
    return "\n".join(lines) + "\n"


def _staged_columns(table: Table, as_text: set[TableColumn]) -> Iterator[tuple[str, str]]:
    for column in table.columns:
        quoted = f"raw_column({jinja_text(column.raw)})"
        raw = column.raw if column.is_plain else f"{{{{ {quoted} }}}}"
        comment = one_line(column.title)
        if column in as_text:
            comment = f"{comment}, in text as links and parents name it"
            if column.type is ColumnType.NUMBER:
                argument = f"'{column.raw}'" if column.is_plain else quoted
                raw = f"{{{{ key_text({argument}) }}}}"
            else:
                raw = f"cast({raw} as {{{{ dbt.type_string() }}}})"
        shown = "" if comment in {column.name, column.raw, column.key} else comment
        yield (raw if raw == column.name else f"{raw} as {column.name}"), shown


def select_list(columns: Sequence[tuple[str, str]]) -> list[str]:
    """The lines of a select list, from expressions and their comments."""
    lines = []
    for number, (expression, comment) in enumerate(columns, 1):
        comma = "," if number < len(columns) else ""
        end = f"  -- {comment}" if comment else ""
        lines.append(f"    {expression}{comma}{end}")
    return lines
