-- Who reports to whom: each person in each position, and the nearest position above that is held.
with seats as (

    select
        hierarchy.node_key,
        {{ dbt.listagg('assignments.person_name', "', '", 'order by assignments.person_name') }}
            as holders
    from {{ ref('assignments') }} as assignments
    inner join {{ ref('org_hierarchy') }} as hierarchy
        on hierarchy.record_key = assignments.position_key
    group by hierarchy.node_key

),

-- The positions above each, the nearest first; vacant ones are passed over.
held_above as (

    select
        closure.descendant_key,
        closure.ancestor_key,
        closure.distance,
        row_number() over (
            partition by closure.descendant_key order by closure.distance
        ) as nearness
    from {{ ref('org_closure') }} as closure
    inner join seats on seats.node_key = closure.ancestor_key
    where closure.distance > 0

)

select
    assignments.assignment_key,
    assignments.person_key,
    assignments.person_name,
    assignments.position_key,
    assignments.position_title,
    assignments.allocation,
    hierarchy.level,
    hierarchy.status,
    hierarchy.manager_key as position_above,
    held_above.ancestor_key as reports_to_position,
    -- several names where the position is shared
    seats.holders as reports_to,
    held_above.distance - 1 as vacant_positions_between
from {{ ref('assignments') }} as assignments
left join {{ ref('org_hierarchy') }} as hierarchy
    on hierarchy.record_key = assignments.position_key
left join held_above
    on held_above.descendant_key = hierarchy.node_key and held_above.nearness = 1
left join seats on seats.node_key = held_above.ancestor_key
