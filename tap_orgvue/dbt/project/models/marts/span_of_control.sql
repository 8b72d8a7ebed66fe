-- Every manager: how many report directly, how many in all, and through how many layers.
select
    hierarchy.node_key,
    hierarchy.record_key,
    hierarchy.node_label,
    hierarchy.level,
    hierarchy.status,
    sum(case when closure.distance = 1 then 1 else 0 end) as direct_reports,
    count(*) as all_reports,
    max(closure.distance) as layers_below
from {{ ref('org_hierarchy') }} as hierarchy
inner join {{ ref('org_closure') }} as closure
    on closure.ancestor_key = hierarchy.node_key and closure.distance > 0
group by
    hierarchy.node_key,
    hierarchy.record_key,
    hierarchy.node_label,
    hierarchy.level,
    hierarchy.status
