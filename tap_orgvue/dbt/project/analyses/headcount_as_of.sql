-- How was it in March? `dbt show --select headcount_as_of --vars '{as_of: 2026-03-31}'` shows
-- headcount and cost at the beginning of that day; without a day, as they are now.
{% set columns = var('headcount_dimensions', [])[:1] + ['cost_currency'] %}
select
    {{ columns | join(', ') }},
    sum(allocation) as headcount,
    sum(allocated_cost) as cost
from {{ ref('assignments_history') }}
where {{ as_of(var('as_of', '9999-01-01')) }}
group by {{ columns | join(', ') }}
order by {{ columns | join(', ') }}
