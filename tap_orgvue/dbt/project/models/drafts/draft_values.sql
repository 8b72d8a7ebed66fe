-- What a draft makes of each property of an item in the end: the last value, as text.
with cells as (

    select
        steps.draft_id,
        steps.item,
        cell.key as property_key,
        cast(cell.value as varchar) as new_value,
        steps.step,
        items.created,
        row_number() over (
            partition by steps.draft_id, steps.item, cell.key
            order by steps.step desc
        ) as age
    from {{ ref('draft_steps') }} as steps
    inner join {{ ref('draft_items') }} as items
        on
            items.draft_id = steps.draft_id
            and items.item = steps.item
            and steps.step >= items.begins
    {{ changed_cells('steps.changes') }}

)

select
    draft_id,
    item,
    property_key,
    new_value,
    step,
    created
from cells
where age = 1
