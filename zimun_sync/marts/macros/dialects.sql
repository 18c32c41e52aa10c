{#- What DuckDB and PostgreSQL say differently, and what each has to say in its own way so that
    no answer depends on the session's time zone. -#}

{#- Keeps a query that is named twice from being read twice: in DuckDB each reading may open
    other files. PostgreSQL decides by itself, and has one snapshot a statement. -#}
{% macro once() -%}
    {{ adapter.dispatch('once', 'zimun')() }}
{%- endmacro %}

{% macro default__once() -%}{%- endmacro %}

{% macro duckdb__once() -%}materialized{%- endmacro %}

{#- Microseconds from one instant to another. -#}
{% macro micros_between(first, last) -%}
    {{ adapter.dispatch('micros_between', 'zimun')(first, last) }}
{%- endmacro %}

{% macro default__micros_between(first, last) -%}
    cast(extract(epoch from ({{ last }} - {{ first }})) * 1000000 as bigint)
{%- endmacro %}

{% macro duckdb__micros_between(first, last) -%}
    (epoch_us({{ last }}) - epoch_us({{ first }}))
{%- endmacro %}

{#- Whole minutes from one instant to another; negative when the other is earlier. -#}
{% macro minutes_between(first, last) -%}
    cast(floor({{ micros_between(first, last) }} / 60000000.0) as bigint)
{%- endmacro %}

{#- What the clock on the wall showed at an instant. Without a zone, or with one that the database
    does not know (it would refuse the whole query), the given offset holds. -#}
{% macro wall_clock(instant, timezone, offset_minutes) -%}
    case
        when {{ timezone }} in (select name from {{ known_zones() }})
            then timezone({{ timezone }}, {{ instant }})
        else timezone('UTC', {{ instant }}) + {{ offset_minutes }} * interval '1 minute'
    end
{%- endmacro %}

{#- The time zones that the database knows. -#}
{% macro known_zones() -%}
    {{ adapter.dispatch('known_zones', 'zimun')() }}
{%- endmacro %}

{% macro default__known_zones() -%}pg_timezone_names{%- endmacro %}

{% macro duckdb__known_zones() -%}pg_timezone_names(){%- endmacro %}

{#- A table function: a row with `starts_at` and `ends_at` for each slot of a JSON array of pairs. -#}
{% macro each_slot(slots) -%}
    {{ adapter.dispatch('each_slot', 'zimun')(slots) }}
{%- endmacro %}

{% macro default__each_slot(slots) -%}
    (
        select
            cast(pair ->> 0 as timestamptz) as starts_at,
            cast(pair ->> 1 as timestamptz) as ends_at
        from jsonb_array_elements({{ slots }}) as each_pair (pair))
{%- endmacro %}

{% macro duckdb__each_slot(slots) -%}
    (
        select
            cast(pair[1] as timestamptz) as starts_at,
            cast(pair[2] as timestamptz) as ends_at
        from (select unnest(from_json({{ slots }}, '[["VARCHAR"]]')) as pair))
{%- endmacro %}

{#- The value of the row that comes last by an instant and, among equal ones, by a key; an aggregate
    over the rows that have both. -#}
{% macro latest(value, instant, key) -%}
    {{ adapter.dispatch('latest', 'zimun')(value, instant, key) }}
{%- endmacro %}

{% macro default__latest(value, instant, key) -%}
    (array_agg({{ value }} order by {{ instant }} desc, {{ key }} desc)
        filter (where {{ value }} is not null and {{ instant }} is not null))[1]
{%- endmacro %}

{% macro duckdb__latest(value, instant, key) -%}
    arg_max({{ value }}, case when {{ instant }} is not null then ({{ instant }}, {{ key }}) end)
{%- endmacro %}

{#- An instant as text, ISO 8601 in UTC with microseconds. -#}
{% macro iso_instant(instant) -%}
    {{ adapter.dispatch('iso_instant', 'zimun')(instant) }}
{%- endmacro %}

{% macro default__iso_instant(instant) -%}
    to_char(timezone('UTC', {{ instant }}), 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
{%- endmacro %}

{% macro duckdb__iso_instant(instant) -%}
    strftime(timezone('UTC', {{ instant }}), '%Y-%m-%dT%H:%M:%S.%f+00:00')
{%- endmacro %}
