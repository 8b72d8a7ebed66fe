-- What becomes of each item that a draft changes. Steps before `begins` do not count any more, nor do
-- those before `created` of an item that is new.
with deletions as (

    select
        draft_id,
        item,
        max(case when action = 'delete' then step end) as deleted
    from {{ ref('draft_steps') }}
    group by draft_id, item

),

items as (

    select
        steps.draft_id,
        steps.item,
        max(deletions.deleted) as deleted,
        min(
            case
                when steps.action like 'create%' and steps.step > coalesce(deletions.deleted, 0)
                    then steps.step
            end
        ) as created,
        max(
            case when steps.action in ('create', 'replace', 'createOrReplace') then steps.step end
        ) as replaced
    from {{ ref('draft_steps') }} as steps
    inner join deletions
        on deletions.draft_id = steps.draft_id and deletions.item = steps.item
    group by steps.draft_id, steps.item

)

select
    draft_id,
    item,
    created,
    created is not null as is_created,
    deleted is not null and created is null as is_deleted,
    deleted is not null or replaced is not null as is_replaced,
    greatest(
        coalesce(replaced, 0),
        case when deleted is null then 0 else coalesce(created, deleted) end
    ) as begins
from items
