-- People whose allocations are more than one whole: their headcount and cost count double.
select
    person_key,
    person_name,
    count(*) as positions,
    sum(allocation) as allocated
from {{ ref('assignments') }}
group by person_key, person_name
having sum(allocation) > 1.015
