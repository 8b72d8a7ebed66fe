-- Nodes whose parent does not exist: deleted, mistyped, or not visible for the token's user.
select
    node_key,
    node_label,
    parent_key
from {{ ref('org_hierarchy') }}
where status = 'orphan'
