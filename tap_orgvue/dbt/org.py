"""The models people, positions, assignments and org_nodes.

They rename a tenant's columns to fixed names. All models that read them are the same for every
tenant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.dbt.columns import MAX_DIMENSIONS, dimensions_of, is_percentage
from tap_orgvue.dbt.staging import select_list
from tap_orgvue.dbt.text import MAX_NAME, one_line, shortened
from tap_orgvue.orgvue.models import ID
from tap_orgvue.schema.column_types import ColumnType

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tap_orgvue.dbt.catalog import Table, TableColumn
    from tap_orgvue.dbt.roles import Roles

Columns = list[tuple[str, str]]

PERSON = ("person_key", "person_name", "is_active", "cost", "cost_currency")
POSITION = ("position_key", "position_title")
ASSIGNMENT = ("assignment_key", "allocation", "allocated_cost", "copy_number")

_NUMBERED = """\
with numbered as (

    select
        *,
        row_number() over (partition by {key} order by {order}) as copy_number
    from {{{{ ref('{model}') }}}}
    where {key} is not null

)
"""

_ONCE = "where copy_number = 1  -- a key that Orgvue has twice would count twice; a test reports it"


def people_model(people: Table, roles: Roles) -> str:
    """The SQL of the model `people`."""
    key = existing(people.auto_id, people)
    columns: Columns = [
        (f"{key.name} as person_key", f"{one_line(key.title)}, by which links name a person"),
        (f"{_text(people.label or key)} as person_name", one_line((people.label or key).title)),
        _activity(roles),
        _or_null(roles.cost, "cost", "numeric", "the cost of a person"),
        _or_null(roles.currency, "cost_currency", "string", "the currency of the cost"),
    ]
    taken = [key, people.label]
    columns += _others(people, "person", taken, PERSON)
    return _model(
        "The people: keys, names, activity and cost. All models that read them follow a change of\n"
        "-- a line here.",
        people,
        columns,
    )


def positions_model(positions: Table) -> str:
    """The SQL of the model `positions`."""
    key = existing(positions.auto_id, positions)
    label = positions.label or key
    columns: Columns = [
        (f"{key.name} as position_key", f"{one_line(key.title)}, by which links name a position"),
        (f"{_text(label)} as position_title", one_line(label.title)),
        *_others(positions, "position", [key, positions.label], POSITION),
    ]
    return _model("The positions: keys and titles.", positions, columns)


def nodes_model(tree: Table) -> str:
    """The SQL of the model `org_nodes`."""
    node, parent = (existing(column, tree) for column in tree.tree or (None, None))
    label, record = tree.label or node, tree.auto_id or node
    columns: Columns = [
        (f"{node.name} as node_key", one_line(node.title)),
        (f"nullif({_text(parent)}, '') as parent_key", one_line(parent.title)),
        (f"{_text(record)} as record_key", f"{one_line(record.title)}, by which links name a node"),
        (f"{_text(label)} as node_label", one_line(label.title)),
    ]
    return _model("The nodes of the hierarchy, as Orgvue has them.", tree, columns, key=node)


def assignments_model(roles: Roles) -> str:
    """The SQL of the model `assignments`: from links, or only from people if there are none."""
    links = roles.links
    if links is None:
        return (
            "-- The active people, one whole each: there is no dataset of links to positions.\n"
            "select\n"
            "    person_key as assignment_key,\n"
            "    1 as allocation,\n"
            "    cost as allocated_cost,\n"
            "    people.*\n"
            "from {{ ref('people') }} as people\n"
            "where is_active\n"
        )
    start, end = (existing(column, links) for column in links.ends)
    person, position = (end, start) if roles.links_are_reversed else (start, end)
    key = links.key_columns[0].name if len(links.key_columns) == 1 else None
    assignment = key or f"{person.name} || '|' || {position.name}"
    columns: Columns = [
        (f"{assignment} as assignment_key", ""),
        (f"{person.name} as person_key", one_line(person.title)),
        (f"{position.name} as position_key", one_line(position.title)),
        _allocation(roles.allocation),
        *_others(links, "link", [person, position, links.auto_id, *links.key_columns], ASSIGNMENT),
    ]
    body = [
        "-- Each active person in each position. Links to people or positions that do not exist",
        "-- are not counted; the tests of the raw tables report them.",
        *_numbered(links, assignment, assignment).rstrip("\n").split("\n"),
    ]
    body[-1] = "),"
    names = [expression.rpartition(" as ")[2] for expression, _ in columns]
    kept = [name for name in names if name not in {"person_key", "position_key"}]
    body += [
        "",
        "links as (",
        "",
        "    select",
        *(f"    {line}" for line in select_list(columns)),
        "    from numbered",
        "    where copy_number = 1",
        "",
        ")",
        "",
        "select",
        *(f"    links.{name}," for name in kept),
        "    links.allocation * people.cost as allocated_cost,",
        "    people.*,",
        "    positions.*",
        "from links",
        "inner join {{ ref('people') }} as people on people.person_key = links.person_key",
        "inner join {{ ref('positions') }} as positions",
        "    on positions.position_key = links.position_key",
        "where people.is_active",
    ]
    return "\n".join(body) + "\n"


def headcount_dimensions(roles: Roles) -> list[str]:
    """The columns of `assignments` to count headcount by, those of positions first."""
    found = []
    if roles.has_links and roles.positions:
        found += dimensions_in(roles.positions, "position", POSITION)
    if roles.people:
        found += dimensions_in(roles.people, "person", PERSON)
    return found[:MAX_DIMENSIONS]


def dimensions_in(table: Table, prefix: str, reserved: Collection[str]) -> list[str]:
    """The columns of a model to count headcount by; keys and the label are no groups."""
    names = prefixed(table, prefix, reserved)
    identifying = (table.auto_id, table.by_key(ID), table.label)
    taken = {column.name for column in identifying if column}
    return [names[column] for column in dimensions_of(table, taken)]


# -- parts of the models


def existing(column: TableColumn | None, table: Table) -> TableColumn:
    """A column without which a table has no role.

    Raises:
        ValueError: The table has no such column.
    """
    if column is None:
        raise ValueError(table.stream)
    return column


def _text(column: TableColumn) -> str:
    """A column as text."""
    if column.type is ColumnType.TEXT:
        return column.name
    return f"cast({column.name} as {{{{ dbt.type_string() }}}})"


def _activity(roles: Roles) -> tuple[str, str]:
    if roles.activity is None:
        return "1 = 1 as is_active", "no column says who has left: put the condition here"
    column, is_there = roles.activity
    if is_there:
        return f"coalesce({column.name}, false) as is_active", one_line(column.title)
    return f"not coalesce({column.name}, false) as is_active", one_line(column.title)


def _or_null(column: TableColumn | None, name: str, kind: str, meaning: str) -> tuple[str, str]:
    if column is None:
        null = f"cast(null as {{{{ dbt.type_{kind}() }}}})"
        return f"{null} as {name}", f"no column has {meaning}: put it here"
    return (
        column.name if column.name == name else f"{column.name} as {name}",
        one_line(column.title),
    )


def _allocation(column: TableColumn | None) -> tuple[str, str]:
    if column is None:
        return "1 as allocation", "links have no share: each counts as 1"
    if is_percentage(column):
        return (
            f"coalesce({column.name} / 100, 1) as allocation",
            f"{one_line(column.title)} in percent; 1 if it is null",
        )
    return (
        f"coalesce({column.name}, 1) as allocation",
        f"{one_line(column.title)}; 1 if it is null",
    )


def prefixed(table: Table, prefix: str, taken: Collection[str]) -> dict[TableColumn, str]:
    """Column to its name in the models that read it: with a prefix, and unique."""
    used = {*taken}
    names = {}
    for column in table.columns:
        name = column.name
        while (name_there := shortened(f"{prefix}_{name}", MAX_NAME)) in used:
            name = f"property_{name}"
        names[column] = name_there
        used.add(name_there)
    return names


def _others(
    table: Table, prefix: str, taken: Sequence[TableColumn | None], reserved: Collection[str]
) -> Columns:
    """All other columns, to count headcount by."""
    return [
        (f"{column.name} as {name}", "")
        for column, name in prefixed(table, prefix, reserved).items()
        if column not in taken
    ]


def _numbered(table: Table, key: str, order: str) -> str:
    return _NUMBERED.format(key=key, order=order, model=table.model)


def _model(comment: str, table: Table, columns: Columns, key: TableColumn | None = None) -> str:
    key = key or existing(table.auto_id, table)
    order = ", ".join(column.name for column in table.key_columns) or key.name
    return "\n".join(
        [
            f"-- {comment}",
            _numbered(table, key.name, order),
            "select",
            *select_list(columns),
            "from numbered",
            _ONCE,
            "",
        ]
    )
