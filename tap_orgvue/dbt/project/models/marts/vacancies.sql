-- Positions that nobody holds, or not wholly. A holder is a person who is there and active.
with holders as (

    select
        position_key,
        sum(allocation) as filled
    from {{ ref('assignments') }}
    group by position_key

)

select
    positions.*,
    coalesce(holders.filled, 0) as filled,
    1 - coalesce(holders.filled, 0) as open_share,
    case when coalesce(holders.filled, 0) = 0 then 'vacant' else 'partly filled' end as status
from {{ ref('positions') }} as positions
left join holders on holders.position_key = positions.position_key
-- Three thirds of 0.33 fill a position.
where coalesce(holders.filled, 0) < 0.985
