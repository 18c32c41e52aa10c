{#- What words mean, for every model that uses them. -#}

{#- Whether an appointment counts as booked. -#}
{% macro is_booked(status) -%}
    ({{ status }} is distinct from 'cancelled')
{%- endmacro %}

{#- Whether an appointment takes up the time of who gives it. -#}
{% macro is_busy(status) -%}
    ({{ status }} in ('held', 'scheduled', 'confirmed', 'completed', 'no_show'))
{%- endmacro %}

{#- Since when a version known from `appointments` alone holds. -#}
{% macro known_since() -%}
    coalesce(updated_at, _synced_at)
{%- endmacro %}

{#- Contact columns in the form in which they are compared. -#}
{% macro same_email() -%}
    nullif(lower(trim(contact_email)), '')
{%- endmacro %}

{% macro same_phone() -%}
    nullif(trim(contact_phone), '')
{%- endmacro %}

{#- Who booked, told from `email` and `phone`: `email:…`, or `phone:…` where no e-mail is known,
    neither given nor by the phone. A phone belongs to an e-mail when all bookings with both have
    that one: the first in the order of e-mails is the last one too. -#}
{% macro customer_id() -%}
    case
        when email is not null then 'email:' || email
        when phone is null then null
        when first_value(email) over same_phone = max(email) over same_phone
            then 'email:' || first_value(email) over same_phone
        else 'phone:' || phone
    end
{%- endmacro %}

{#- The window that `customer_id` looks through. Without an order DuckDB makes a join of it, which
    also those questions would pay for that ask for no customer. -#}
{% macro same_phone_window() -%}
    same_phone as (
        partition by _source, phone
        order by email nulls last
        rows between unbounded preceding and unbounded following
    )
{%- endmacro %}
