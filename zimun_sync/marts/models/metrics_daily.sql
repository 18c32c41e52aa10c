select
    _source,
    local_date,
    location_id,
    service_id,
    staff_id,
    price_currency,
    count(*) filter (where is_booked) as bookings,
    count(*) filter (where is_cancelled) as cancellations,
    count(*) filter (where is_no_show) as no_shows,
    count(*) filter (where is_completed) as completed,
    cast(sum(reschedules) as bigint) as reschedules,
    cast(coalesce(sum(duration_minutes) filter (where is_booked), 0) as bigint) as booked_minutes,
    cast(avg(lead_time_minutes) filter (where is_booked) as double precision)
        as avg_lead_time_minutes,
    sum(price_amount) filter (where is_booked) as revenue
from {{ ref('fact_appointments') }}
group by _source, local_date, location_id, service_id, staff_id, price_currency
