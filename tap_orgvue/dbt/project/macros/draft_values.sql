{#
  The changes of a draft are JSON objects in text. `changed_cells('changes')` joins to each row the
  keys and values of its object, as `cell.key` and `cell.value`.
#}
{% macro changed_cells(column) -%}
    {{- adapter.dispatch('changed_cells')(column) -}}
{%- endmacro %}

{% macro default__changed_cells(column) -%}
    cross join lateral jsonb_each_text(cast({{ column }} as jsonb)) as cell (key, value)
{%- endmacro %}

{% macro snowflake__changed_cells(column) -%}
    , lateral flatten(input => parse_json({{ column }})) as cell
{%- endmacro %}

{#
  A text as a literal of SQL.
#}
{% macro text_literal(text) -%}
    {{- adapter.dispatch('text_literal')(text) -}}
{%- endmacro %}

{% macro default__text_literal(text) -%}
    {{- "'" ~ text | replace("'", "''") ~ "'" -}}
{%- endmacro %}

{% macro snowflake__text_literal(text) -%}
    {{- "'" ~ text | replace("\\", "\\\\") | replace("'", "''") ~ "'" -}}
{%- endmacro %}

{#
  A value of a draft as a number or a boolean; null where it is none, since Orgvue takes any text.
#}
{% macro changed_number(value) -%}
    {{- adapter.dispatch('changed_number')(value) -}}
{%- endmacro %}

{% macro default__changed_number(value) -%}
    case
            when {{ value }} ~ '^[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]{1,2})?$'
                then cast({{ value }} as numeric)
        end
{%- endmacro %}

{% macro snowflake__changed_number(value) -%}
    try_to_double({{ value }})
{%- endmacro %}

{% macro changed_boolean(value) -%}
    case lower({{ value }}) when 'true' then true when 'false' then false end
{%- endmacro %}
