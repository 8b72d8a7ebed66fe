{#
  A loader that mirrors deletions keeps the row and sets `_sdc_deleted_at`. Tables have that column
  if the loader adds its own columns (`add_record_metadata`), so it is looked for. The variable
  `soft_deletes` decides without looking: `true` or `false` instead of `auto`.
#}
{% macro is_live(relation) -%}
    {%- set answer = var('soft_deletes', 'auto') -%}
    {%- if answer == 'auto' and execute -%}
        {%- set names = adapter.get_columns_in_relation(relation) | map(attribute='name') -%}
        {%- set answer = '_sdc_deleted_at' in (names | map('lower') | list) -%}
    {%- endif -%}
    {{- '_sdc_deleted_at is null' if answer in [true, 'true'] else '1 = 1' -}}
{%- endmacro %}

{#
  dbt's own macro with one addition: `where: __live__` limits a test of a raw table to live rows.
#}
{% macro default__get_where_subquery(relation) -%}
    {%- set where = config.get('where', '') -%}
    {%- if not where -%}
        {%- do return(relation) -%}
    {%- endif -%}
    {%- set condition = where | replace('__live__', is_live(relation)) -%}
    {%- do return('(select * from ' ~ relation ~ ' where ' ~ condition ~ ') tested_rows') -%}
{%- endmacro %}
