-- The layers below the tops, and how wide each is. Orphans and cycles belong to no layer.
select
    hierarchy.level,
    count(*) as nodes,
    count(spans.node_key) as managers,
    avg(spans.direct_reports) as average_span,
    min(spans.direct_reports) as smallest_span,
    max(spans.direct_reports) as largest_span
from {{ ref('org_hierarchy') }} as hierarchy
left join {{ ref('span_of_control') }} as spans on spans.node_key = hierarchy.node_key
where hierarchy.status in ('top', 'reports')
group by hierarchy.level
