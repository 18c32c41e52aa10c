{#- Whatever takes a window or a join stands in a layer of its own: a question that does not ask
    for it does not pay for it. -#}
with contacts as (
    select
        _source,
        appointment_id,
        organization_id,
        location_id,
        service_id,
        staff_id,
        resource_id,
        status,
        source_status,
        starts_at,
        ends_at,
        local_start,
        local_date,
        timezone,
        utc_offset_minutes,
        duration_minutes,
        price_amount,
        price_currency,
        created_at,
        updated_at,
        extra,
        _synced_at,
        {{ is_booked('status') }} as is_booked,
        {{ same_email() }} as email,
        {{ same_phone() }} as phone
    from {{ source('zimun', 'appointments') }}
),

identified as (
    select
        *,
        {{ customer_id() }} as customer_id
    from contacts
    window {{ same_phone_window() }}
),

counted as (
    select
        *,
        case
            when is_booked and customer_id is not null
                then row_number() over (
                    partition by _source, customer_id, is_booked
                    order by starts_at nulls last, appointment_id
                )
        end as visit_number
    from identified
),

steps as (
    select
        _source,
        appointment_id,
        valid_from,
        status,
        starts_at,
        row_number() over history as step,
        lag(status) over history as former_status,
        lag(starts_at) over history as former_starts_at
    from {{ source('zimun', 'appointment_versions') }}
    where not is_deleted
    window history as (
        partition by _source, appointment_id
        order by valid_from, valid_to nulls last, version_id
    )
),

moves as (
    select
        _source,
        appointment_id,
        count(*) filter (
            where step > 1 and starts_at is distinct from former_starts_at
        ) as reschedules,
        max(starts_at) filter (where step = 1) as first_starts_at,
        max(valid_from) filter (
            where status = 'cancelled' and former_status is distinct from 'cancelled'
        ) as cancelled_at
    from steps
    group by _source, appointment_id
),

told as (
    select
        counted.*,
        coalesce(moves.reschedules, 0) as reschedules,
        coalesce(moves.first_starts_at, counted.starts_at) as first_starts_at,
        case
            when not counted.is_booked
                then coalesce(moves.cancelled_at, counted.updated_at, counted._synced_at)
        end as cancelled_at
    from counted
    left join moves
        on moves._source = counted._source
        and moves.appointment_id = counted.appointment_id
)

select
    _source,
    appointment_id,
    organization_id,
    location_id,
    service_id,
    staff_id,
    resource_id,
    customer_id,
    status,
    source_status,
    is_booked,
    not is_booked as is_cancelled,
    (status is not distinct from 'no_show') as is_no_show,
    (status is not distinct from 'completed') as is_completed,
    starts_at,
    ends_at,
    local_start,
    local_date,
    cast(extract(hour from local_start) as bigint) as local_hour,
    cast(extract(isodow from local_date) as bigint) as local_weekday,
    timezone,
    duration_minutes,
    price_amount,
    price_currency,
    created_at,
    cast({{ wall_clock('created_at', 'timezone', 'utc_offset_minutes') }} as date) as booked_on,
    {{ minutes_between('created_at', 'starts_at') }} as lead_time_minutes,
    reschedules,
    first_starts_at,
    cancelled_at,
    {{ minutes_between('cancelled_at', 'starts_at') }} as cancel_notice_minutes,
    visit_number,
    (visit_number = 1) as is_new_customer,
    updated_at,
    extra
from told
