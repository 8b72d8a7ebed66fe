"""The models of drafts: their changes, and the people and the headcount after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.dbt.columns import MAX_DIMENSIONS
from tap_orgvue.dbt.org import PERSON, dimensions_in, existing, prefixed
from tap_orgvue.dbt.staging import select_list
from tap_orgvue.dbt.text import jinja_text, one_line, shortened
from tap_orgvue.orgvue.models import ID
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.naming import DRAFT_ACTIONS_STREAM, DRAFTS_STREAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_orgvue.dbt.catalog import Table, TableColumn
    from tap_orgvue.dbt.roles import Roles

_NEEDED = {
    DRAFTS_STREAM: {"draft_id", "name", "dataset_id"},
    DRAFT_ACTIONS_STREAM: {
        *("draft_id", "layer_key", "position", "action", "item_id", "from_id", "to_id", "changes"),
    },
}
"""The columns that the models read."""

_FOLLOWED = {ColumnType.TEXT, ColumnType.NUMBER, ColumnType.BOOLEAN}
"""A text that is no date would fail the whole model."""

_PEOPLE_TO_BE = """\
-- The people of each draft: those of today, without the deleted, with the created, as changed.
-- Dates are left out. A calculated property is in no change: where `cost` is one, write here how it
-- is calculated from the others.
with drafts as (

    select
        draft_id,
        coalesce(nullif(name, ''), draft_id) as draft
    from {{{{ ref('stg_orgvue_drafts') }}}}
    where upper(dataset_id) = '{dataset_id}'

),

changed as (

    select
        draft_values.draft_id,
        draft_values.item,
{changed}
    from {{{{ ref('draft_values') }}}} as draft_values
    left join {{{{ ref('people') }}}} as people on people.{item} = draft_values.item
    where people.{item} is not null or draft_values.step >= draft_values.created
    group by draft_values.draft_id, draft_values.item

),

everybody as (

    select
        drafts.draft_id,
        drafts.draft,
        people.{item} as item
    from drafts
    cross join {{{{ ref('people') }}}} as people

    union

    select
        drafts.draft_id,
        drafts.draft,
        items.item
    from {{{{ ref('draft_items') }}}} as items
    inner join drafts on drafts.draft_id = items.draft_id
    where items.is_created

)

select
    everybody.draft_id,
    everybody.draft,
    everybody.item,
{columns}
from everybody
left join {{{{ ref('people') }}}} as people on people.{item} = everybody.item
left join {{{{ ref('draft_items') }}}} as items
    on items.draft_id = everybody.draft_id and items.item = everybody.item
left join changed
    on changed.draft_id = everybody.draft_id and changed.item = everybody.item
where not coalesce(items.is_deleted, false)
"""

_HEADCOUNT = """\
-- Headcount and cost of today beside those of each draft, by columns of `people`: change the list.
-- A person counts once, whatever the allocation: a draft of people changes no links. Currencies are
-- never added up: there is a row for each.
{{{{ config(materialized='table') }}}}
{{% set dimensions = {dimensions} %}}

with scenarios as (

    select
        cast(null as {{{{ dbt.type_string() }}}}) as draft_id,
        'today' as scenario,
        {{% for dimension in dimensions %}}
        {{{{ dimension }}}},
        {{% endfor %}}
        cost,
        cost_currency
    from {{{{ ref('people') }}}}
    where is_active

    union all

    select
        draft_id,
        draft as scenario,
        {{% for dimension in dimensions %}}
        {{{{ dimension }}}},
        {{% endfor %}}
        cost,
        cost_currency
    from {{{{ ref('people_to_be') }}}}
    where is_active

)

select
    draft_id,
    scenario,
    'all' as dimension,
    'all' as value,
    cost_currency as currency,
    count(*) as headcount,
    sum(cost) as cost,
    sum(case when cost is null then 1 else 0 end) as headcount_without_cost
from scenarios
group by draft_id, scenario, cost_currency

{{% for dimension in dimensions %}}
union all

select
    draft_id,
    scenario,
    '{{{{ dimension }}}}' as dimension,
    cast({{{{ dimension }}}} as {{{{ dbt.type_string() }}}}) as value,
    cost_currency as currency,
    count(*) as headcount,
    sum(cost) as cost,
    sum(case when cost is null then 1 else 0 end) as headcount_without_cost
from scenarios
group by draft_id, scenario, {{{{ dimension }}}}, cost_currency

{{% endfor %}}
"""


def draft_tables(tables: Sequence[Table]) -> list[Table]:
    """The tables of drafts and of their changes; none unless both have all columns needed."""
    found = [
        table
        for table in tables
        if table.stream in _NEEDED
        and _NEEDED[table.stream] <= {column.name for column in table.columns}
    ]
    return found if len(found) == len(_NEEDED) else []


def has_scenarios(tables: Sequence[Table], roles: Roles) -> bool:
    """True if people can be matched with drafts, which name them by `_id`."""
    people = roles.people
    return bool(
        draft_tables(tables) and people and people.dataset_id and people.by_key(ID) is not None
    )


def people_to_be_model(people: Table, roles: Roles) -> str:
    """The SQL of the model `people_to_be`."""
    key, item = existing(people.auto_id, people), existing(people.by_key(ID), people)
    label = people.label or key
    names = prefixed(people, "person", PERSON)
    columns = [
        (f"{_to_be(key, 'person_key', as_text=True)} as person_key", one_line(key.title)),
        (f"{_to_be(label, 'person_name', as_text=True)} as person_name", one_line(label.title)),
        (f"{_activity(roles)} as is_active", "as in `people`"),
        (f"{_cost(roles)} as cost", "as in `people`"),
        (f"{_currency(roles)} as cost_currency", "as in `people`"),
    ]
    taken = {key, people.label, item}
    followed = [each for each in people.columns if each not in taken and each.type in _FOLLOWED]
    columns += [(f"{_to_be(each, names[each])} as {names[each]}", "") for each in followed]
    activity = roles.activity[0] if roles.activity else None
    read = dict.fromkeys(
        each for each in (key, label, activity, roles.cost, roles.currency, *followed) if each
    )
    return _PEOPLE_TO_BE.format(
        dataset_id=people.dataset_id.upper(),
        item="person_key" if item == key else names[item],
        changed=",\n".join(line for column in read for line in _changed(column)),
        columns="\n".join(select_list(columns)),
    )


def headcount_by_scenario_model(people: Table) -> str:
    """The SQL of the model `headcount_by_scenario`."""
    found = dimensions_in(people, "person", PERSON)
    return _HEADCOUNT.format(dimensions=found[:MAX_DIMENSIONS])


# -- parts of the models


def _changed(column: TableColumn) -> list[str]:
    """The select lines of a column in a draft's changes: whether it is set, and its value."""
    is_it = f"property_key = {{{{ text_literal({jinja_text(column.key)}) }}}}"
    return [
        f"        max(case when {is_it} then 1 else 0 end) as {_is_set(column)}",
        f"        max(case when {is_it} then new_value end) as {_new(column)}",
    ]


def _is_set(column: TableColumn) -> str:
    return shortened(f"is_set_{column.name}")


def _new(column: TableColumn) -> str:
    return shortened(f"new_{column.name}")


def _to_be(column: TableColumn, name: str, *, as_text: bool = False) -> str:
    value = f"changed.{_new(column)}"
    if column.type is ColumnType.NUMBER and not as_text:
        value = f"{{{{ changed_number('{value}') }}}}"
    elif column.type is ColumnType.BOOLEAN and not as_text:
        value = f"{{{{ changed_boolean('{value}') }}}}"
    return _case(column, value, "null", name)


def _case(column: TableColumn, value: str, nothing: str, name: str) -> str:
    return (
        "case\n"
        f"        when changed.{_is_set(column)} = 1 then {value}\n"
        f"        when items.is_replaced then {nothing}\n"
        f"        else people.{name}\n"
        "    end"
    )


def _activity(roles: Roles) -> str:
    if roles.activity is None:
        return "coalesce(people.is_active, true)"
    column, is_there = roles.activity
    word, nothing = ("", "false") if is_there else ("not ", "true")
    value = f"{{{{ changed_boolean('changed.{_new(column)}') }}}}"
    # Only a created person is nobody of today, and whoever is created is replaced or new.
    found = _case(column, f"{word}coalesce({value}, false)", nothing, "is_active")
    return f"coalesce({found}, {nothing})"


def _cost(roles: Roles) -> str:
    return _to_be(roles.cost, "cost") if roles.cost else "people.cost"


def _currency(roles: Roles) -> str:
    return _to_be(roles.currency, "cost_currency") if roles.currency else "people.cost_currency"
