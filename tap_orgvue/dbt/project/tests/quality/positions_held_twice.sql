-- Positions whose holders' allocations are more than one whole. A position that two people share
-- in halves is held once.
select
    position_key,
    position_title,
    count(*) as holders,
    sum(allocation) as held
from {{ ref('assignments') }}
group by position_key, position_title
having sum(allocation) > 1.015
