{#
  A column of a raw table whose name SQL does not take as it is: a reserved word, capitals, signs.
  target-postgres keeps names as they are; target-snowflake turns them into capitals.
#}
{% macro raw_column(name) -%}
    {{- adapter.dispatch('raw_column')(name) -}}
{%- endmacro %}

{% macro default__raw_column(name) -%}
    {{- '"' ~ name | replace('"', '""') ~ '"' -}}
{%- endmacro %}

{% macro snowflake__raw_column(name) -%}
    {{- '"' ~ name | upper | replace('"', '""') ~ '"' -}}
{%- endmacro %}

{#
  A number as a key: links name their ends in text, and 101.0 is the key 101.
#}
{% macro key_text(column) -%}
    {{- adapter.dispatch('key_text')(column) -}}
{%- endmacro %}

{% macro default__key_text(column) -%}
    cast(trim_scale(cast({{ column }} as numeric)) as {{ dbt.type_string() }})
{%- endmacro %}

{% macro snowflake__key_text(column) -%}
    regexp_replace(to_varchar(cast({{ column }} as number(38, 6))), '[.]?0+$', '')
{%- endmacro %}
