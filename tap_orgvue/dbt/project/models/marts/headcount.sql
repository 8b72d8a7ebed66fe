-- Headcount by each dimension of the variable `headcount_dimensions`: columns of `assignments`.
-- A person counts in each position by the link's allocation, so that halves add up to one.
select
    'all' as dimension,
    'all' as value,
    sum(allocation) as headcount,
    count(distinct person_key) as people
from {{ ref('assignments') }}

{% for dimension in var('headcount_dimensions', []) %}
union all

select
    '{{ dimension }}' as dimension,
    cast({{ dimension }} as {{ dbt.type_string() }}) as value,
    sum(allocation) as headcount,
    count(distinct person_key) as people
from {{ ref('assignments') }}
group by {{ dimension }}

{% endfor %}
