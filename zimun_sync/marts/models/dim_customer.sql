with contacts as (
    select
        _source,
        {{ same_email() }} as email,
        {{ same_phone() }} as phone,
        contact_name as name,
        status,
        starts_at,
        local_date,
        appointment_id
    from {{ source('zimun', 'appointments') }}
),

bookings as (
    select
        *,
        {{ customer_id() }} as customer_id
    from contacts
    window {{ same_phone_window() }}
)

select
    _source,
    customer_id,
    {{ latest('name', 'starts_at', 'appointment_id') }} as name,
    max(email) as email,
    {{ latest('phone', 'starts_at', 'appointment_id') }} as phone,
    count(*) as appointments,
    count(*) filter (where {{ is_booked('status') }}) as bookings,
    count(*) filter (where not {{ is_booked('status') }}) as cancellations,
    count(*) filter (where status = 'no_show') as no_shows,
    min(starts_at) filter (where {{ is_booked('status') }}) as first_starts_at,
    max(starts_at) filter (where {{ is_booked('status') }}) as last_starts_at,
    min(local_date) filter (where {{ is_booked('status') }}) as first_local_date,
    max(local_date) filter (where {{ is_booked('status') }}) as last_local_date
from bookings
where customer_id is not null
group by _source, customer_id
