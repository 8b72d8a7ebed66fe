-- Active people whom no link joins to an existing position: no headcount, no cost.
select
    people.person_key,
    people.person_name
from {{ ref('people') }} as people
left join {{ ref('assignments') }} as assignments
    on assignments.person_key = people.person_key
where people.is_active and assignments.person_key is null
