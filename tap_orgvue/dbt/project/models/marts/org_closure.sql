-- Each node with each node above it, and with itself at distance 0: "all who are below X" is
-- `where ancestor_key = X`, without recursion. Nodes in and below a cycle are left out.
with recursive nodes as (

    select
        node_key,
        manager_key
    from {{ ref('org_hierarchy') }}
    where level is not null

),

closure (ancestor_key, descendant_key, distance) as (

    select
        node_key,
        node_key,
        0
    from nodes

    union all

    select
        nodes.manager_key,
        closure.descendant_key,
        closure.distance + 1
    from closure
    inner join nodes on nodes.node_key = closure.ancestor_key
    where nodes.manager_key is not null

)

select
    ancestor_key,
    descendant_key,
    distance
from closure
