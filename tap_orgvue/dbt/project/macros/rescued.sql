{#
  `_rescued_data` is a JSON object in text: values that do not fit their column, by its name.
  `rescued_value('salary')` is one of them as text, null where the column's value fitted.
#}
{% macro rescued_value(column) -%}
    {{- adapter.dispatch('rescued_value')(column) -}}
{%- endmacro %}

{% macro default__rescued_value(column) -%}
    cast(_rescued_data as jsonb) ->> '{{ column | replace("'", "''") }}'
{%- endmacro %}

{% macro snowflake__rescued_value(column) -%}
    cast(get(parse_json(_rescued_data), '{{ column | replace("'", "''") }}') as varchar)
{%- endmacro %}

{#
  The columns `<name>_rescued` of a staging model: those that the variable `rescued` asks for. In
  their names `_` stands for what SQL does not take without quotes.
#}
{% macro rescued_columns(stream) -%}
    {%- for column in var('rescued', {}).get(stream, []) %}
    {{ rescued_value(column) }} as {{ modules.re.sub('^(?=[0-9])|[^a-z0-9_]', '_', column | lower) }}_rescued,
    {%- endfor %}
{%- endmacro %}
