-- What becomes of each item that a draft changes. Steps before `begins` do not count any more.
with items as (

    select
        draft_id,
        item,
        max(case when action like 'create%' then step end) as created,
        max(case when action = 'delete' then step end) as deleted,
        max(
            case when action in ('create', 'replace', 'createOrReplace', 'delete') then step end
        ) as begins
    from {{ ref('draft_steps') }}
    group by draft_id, item

)

select
    draft_id,
    item,
    created is not null as is_created,
    deleted is not null and deleted > coalesce(created, 0) as is_deleted,
    begins is not null as is_replaced,
    coalesce(begins, 0) as begins
from items
