-- Cost by each dimension of the variable `headcount_dimensions`, by the link's allocation like the
-- headcount. Currencies are never added up: there is a row for each.
select
    'all' as dimension,
    'all' as value,
    cost_currency as currency,
    sum(allocated_cost) as cost,
    sum(case when cost is null then allocation else 0 end) as headcount_without_cost
from {{ ref('assignments') }}
group by cost_currency

{% for dimension in var('headcount_dimensions', []) %}
union all

select
    '{{ dimension }}' as dimension,
    cast({{ dimension }} as {{ dbt.type_string() }}) as value,
    cost_currency as currency,
    sum(allocated_cost) as cost,
    sum(case when cost is null then allocation else 0 end) as headcount_without_cost
from {{ ref('assignments') }}
group by {{ dimension }}, cost_currency

{% endfor %}
