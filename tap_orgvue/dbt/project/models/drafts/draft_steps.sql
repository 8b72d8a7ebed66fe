-- The changes of each draft in the order in which they apply: the layer `default` comes first, other
-- layers follow by their key. Words that Orgvue does not document, and `noop`, change nothing.
-- A link is named as in `link_id`, another item by its `_id`; one that is created without is one of
-- its own.
select
    draft_id,
    layer_key,
    position,
    coalesce(
        '[' || from_id || ',' || to_id || ']',
        item_id,
        layer_key || ' ' || cast(position as {{ dbt.type_string() }})
    ) as item,
    row_number() over (
        partition by draft_id
        order by case when layer_key = 'default' then 0 else 1 end, layer_key, position
    ) as step,
    action,
    changes
from {{ ref('stg_orgvue_draft_actions') }}
where
    action in ('create', 'update', 'replace', 'delete', 'createOrUpdate', 'createOrReplace')
