with used as (
    select min(local_date) as first, max(local_date) as last
    from {{ source('zimun', 'appointments') }}
    union all
    select min(date), max(date) from {{ source('zimun', 'holidays') }}
    union all
    select min(date), max(date) from {{ source('zimun', 'availability') }}
),

years as (
    select
        make_date(cast(extract(year from min(first)) as integer), 1, 1) as first,
        make_date(cast(extract(year from max(last)) as integer), 12, 31) as last
    from used
),

days as (
    select cast(years.first + cast(numbers.n as integer) as date) as date
    from years
    cross join lateral generate_series(0, years.last - years.first) as numbers (n)
),

parts as (
    select
        date,
        cast(extract(year from date) as bigint) as year,
        cast(extract(quarter from date) as bigint) as quarter,
        cast(extract(month from date) as bigint) as month,
        cast(extract(day from date) as bigint) as day,
        cast(extract(isoyear from date) as bigint) as iso_year,
        cast(extract(week from date) as bigint) as iso_week,
        cast(extract(isodow from date) as bigint) as weekday
    from days
)

select
    date,
    year,
    quarter,
    month,
    day,
    iso_year,
    iso_week,
    weekday,
    (array[
        'January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September',
        'October', 'November', 'December'
    ])[month] as month_name,
    (array[
        'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'
    ])[weekday] as weekday_name,
    weekday > 5 as is_weekend,
    make_date(cast(year as integer), cast(month as integer), 1) as month_start,
    cast(date - cast(weekday - 1 as integer) as date) as week_start
from parts
