{#- Offered time is what could be booked when it was last asked for: the slots that were free then
    and the appointments that took the others away. -#}
with sole_location as {{ once() }} (
    select _source, min(location_id) as location_id
    from {{ source('zimun', 'locations') }}
    group by _source
    having count(*) = 1
),

present as {{ once() }} (
    select
        held._source,
        held.appointment_id,
        coalesce(held.location_id, sole_location.location_id) as location_id,
        held.staff_id,
        held.local_date,
        held.starts_at,
        held.ends_at,
        {{ known_since() }} as valid_from
    from {{ source('zimun', 'appointments') }} as held
    left join sole_location on sole_location._source = held._source
    where {{ is_busy('held.status') }}
        and held.ends_at > held.starts_at
        and held.local_date is not null
        and (held.staff_id is not null or held.resource_id is null)
),

versions as {{ once() }} (
    select
        past._source,
        past.appointment_id,
        coalesce(past.location_id, sole_location.location_id) as location_id,
        past.staff_id,
        past.local_date,
        past.starts_at,
        past.ends_at,
        past.valid_from,
        past.valid_to,
        not past.is_deleted
            and {{ is_busy('past.status') }}
            and past.ends_at > past.starts_at
            and past.local_date is not null
            and (past.staff_id is not null or past.resource_id is null) as takes_time
    from {{ source('zimun', 'appointment_versions') }} as past
    left join sole_location on sole_location._source = past._source
),

offers as {{ once() }} (
    select
        free._source,
        coalesce(free.location_id, sole_location.location_id) as location_id,
        free.staff_id,
        free.date as local_date,
        free.slots,
        free._synced_at as seen_at
    from {{ source('zimun', 'availability') }} as free
    left join sole_location on sole_location._source = free._source
),

history as (
    select
        _source, location_id, staff_id, local_date, starts_at, ends_at, valid_from, valid_to
    from versions
    where takes_time
    union all
    select
        _source, location_id, staff_id, local_date, starts_at, ends_at, valid_from,
        cast(null as timestamptz)
    from present
    where not exists (
        select 1 from versions
        where versions._source = present._source
            and versions.appointment_id = present.appointment_id
    )
),

askings as (
    select distinct _source, location_id, staff_id, local_date, seen_at from offers
),

offered_spans as (
    select
        offers._source, offers.location_id, offers.staff_id, offers.local_date,
        slot.starts_at, slot.ends_at
    from offers
    cross join lateral {{ each_slot('offers.slots') }} as slot
    union all
    {#- An empty span: a day that offers nothing is told from one that nobody asked for. #}
    select _source, location_id, staff_id, local_date, seen_at, seen_at from askings
    union all
    select
        askings._source, askings.location_id, askings.staff_id, askings.local_date,
        history.starts_at, history.ends_at
    from askings
    inner join history
        on history._source = askings._source
        and history.local_date = askings.local_date
        and coalesce(history.location_id, '') = coalesce(askings.location_id, '')
        and coalesce(history.staff_id, '') = coalesce(askings.staff_id, '')
        and history.valid_from <= askings.seen_at
        and coalesce(history.valid_to > least(askings.seen_at, history.starts_at), true)
),

spans as (
    {#- `present` is asked first: see `appointment_history`. #}
    select
        _source, location_id, staff_id, local_date, starts_at, ends_at, false as is_offer
    from present
    union all
    select _source, location_id, staff_id, local_date, starts_at, ends_at, true
    from offered_spans
),

covered as (
    select
        *,
        max(ends_at) over (
            partition by _source, location_id, staff_id, local_date, is_offer
            order by starts_at, ends_at
            rows between unbounded preceding and 1 preceding
        ) as reached
    from spans
),

measured as (
    select
        _source,
        location_id,
        staff_id,
        local_date,
        cast(floor(sum(
            {{ micros_between('greatest(starts_at, reached)', 'greatest(ends_at, reached)') }}
        ) filter (where is_offer) / 60000000.0) as bigint) as offered_minutes,
        cast(floor(coalesce(sum(
            {{ micros_between('greatest(starts_at, reached)', 'greatest(ends_at, reached)') }}
        ) filter (where not is_offer), 0) / 60000000.0) as bigint) as booked_minutes
    from covered
    group by _source, location_id, staff_id, local_date
)

select
    _source,
    local_date,
    location_id,
    staff_id,
    offered_minutes,
    booked_minutes,
    cast(booked_minutes as double precision) / nullif(offered_minutes, 0) as utilization
from measured
