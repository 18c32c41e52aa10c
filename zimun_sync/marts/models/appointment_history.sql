{#- Those that `appointments` tells of stand first: DuckDB opens the files in this order, and the
    versions are delivered before the appointments that they are the past of. -#}
{%- set content = [
    'organization_id', 'location_id', 'service_id', 'staff_id', 'resource_id', 'status',
    'source_status', 'starts_at', 'ends_at', 'local_start', 'local_date', 'timezone',
    'utc_offset_minutes', 'duration_minutes', 'contact_name', 'contact_email', 'contact_phone',
    'notes', 'price_amount', 'price_currency', 'created_at', 'updated_at', 'deleted_at', 'extra',
] -%}
with present as {{ once() }} (
    select
        _source,
        appointment_id,
        _run_id,
        _synced_at,
        {{ content | join(',\n        ') }}
    from {{ source('zimun', 'appointments') }}
),

versions as {{ once() }} (
    select
        _source,
        appointment_id,
        version_id,
        valid_from,
        valid_to,
        is_deleted,
        changed,
        learnt_by,
        learnt_at,
        {{ content | join(',\n        ') }}
    from {{ source('zimun', 'appointment_versions') }}
)

select
    _source,
    appointment_id,
    appointment_id || '@' || {{ iso_instant(known_since()) }} as version_id,
    {{ known_since() }} as valid_from,
    cast(null as timestamptz) as valid_to,
    false as is_deleted,
    null as changed,
    case when _run_id = 'webhook' then 'webhook' else 'pull' end as learnt_by,
    _synced_at as learnt_at,
    {{ content | join(',\n    ') }}
from present
where not exists (
    select 1 from versions
    where versions._source = present._source
        and versions.appointment_id = present.appointment_id
)
union all
select
    _source,
    appointment_id,
    version_id,
    valid_from,
    valid_to,
    is_deleted,
    changed,
    learnt_by,
    learnt_at,
    {{ content | join(',\n    ') }}
from versions
