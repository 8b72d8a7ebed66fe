-- Every node of the hierarchy once, with its level and its way up. Nodes that hang on no top are
-- shown as well, and what is wrong with them: see `status`.
with recursive nodes as (

    select
        nodes.*,
        -- Orgvue's parent where it exists; null at the top, and of an orphan
        parents.node_key as manager_key,
        parents.node_label as manager_label,
        nodes.parent_key is not null and parents.node_key is null as is_orphan
    from {{ ref('org_nodes') }} as nodes
    left join {{ ref('org_nodes') }} as parents on parents.node_key = nodes.parent_key

),

-- From each top down. A node has one parent, so this comes to an end, and never enters a cycle:
-- no node of a cycle has a parent outside of it.
tree (node_key, node_label, level, top_key, path, manager_chain, top_is_orphan) as (

    select
        node_key,
        node_label,
        1,
        node_key,
        cast(node_key as {{ dbt.type_string() }}),
        cast('' as {{ dbt.type_string() }}),
        is_orphan
    from nodes
    where manager_key is null

    union all

    select
        nodes.node_key,
        nodes.node_label,
        tree.level + 1,
        tree.top_key,
        tree.path || ' / ' || nodes.node_key,
        case when tree.level = 1 then '' else tree.manager_chain || ' > ' end
        || coalesce(tree.node_label, tree.node_key),
        tree.top_is_orphan
    from tree
    inner join nodes on nodes.manager_key = tree.node_key

),

-- What no top leads to: the nodes of a cycle, and all below them.
lost as (

    select
        nodes.node_key,
        nodes.manager_key
    from nodes
    left join tree on tree.node_key = nodes.node_key
    where tree.node_key is null

),

-- From each lost node up, until a node comes again. chr(31) is a sign that no key has.
way_up (start_key, current_key, seen) as (

    select
        node_key,
        manager_key,
        cast(chr(31) || node_key || chr(31) as {{ dbt.type_string() }})
    from lost

    union all

    select
        way_up.start_key,
        lost.manager_key,
        way_up.seen || lost.node_key || chr(31)
    from way_up
    inner join lost on lost.node_key = way_up.current_key
    where position(chr(31) || way_up.current_key || chr(31) in way_up.seen) = 0

),

-- A node is on a cycle if its own way up leads to it.
cycles as (

    select distinct start_key as node_key
    from way_up
    where current_key = start_key

)

select
    nodes.node_key,
    nodes.record_key,
    nodes.node_label,
    nodes.parent_key,
    nodes.manager_key,
    nodes.manager_label,
    tree.level,
    tree.top_key,
    tree.path,
    tree.manager_chain,
    case
        when cycles.node_key is not null then 'in a cycle'
        when tree.node_key is null then 'below a cycle'
        when nodes.is_orphan then 'orphan'
        when tree.top_is_orphan then 'below an orphan'
        when tree.level = 1 then 'top'
        else 'reports'
    end as status
from nodes
left join tree on tree.node_key = nodes.node_key
left join cycles on cycles.node_key = nodes.node_key
