{#
  The rows of a snapshot as they were at a moment: `where {{ as_of('2026-03-31') }}`.
  A snapshot knows what it has seen: nothing of the time before its first run.
#}
{% macro as_of(moment) -%}
    dbt_valid_from <= cast('{{ moment }}' as {{ dbt.type_timestamp() }})
    and (dbt_valid_to is null or dbt_valid_to > cast('{{ moment }}' as {{ dbt.type_timestamp() }}))
{%- endmacro %}
