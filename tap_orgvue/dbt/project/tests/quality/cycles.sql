-- Nodes that are above themselves. They have no level, nor have the nodes below them.
select
    node_key,
    node_label,
    parent_key
from {{ ref('org_hierarchy') }}
where status = 'in a cycle'
