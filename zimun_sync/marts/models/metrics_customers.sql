select
    _source,
    local_date,
    location_id,
    count(distinct customer_id) filter (where visit_number = 1) as new_customers,
    count(distinct customer_id) filter (where visit_number > 1) as returning_customers
from {{ ref('fact_appointments') }}
where visit_number is not null
group by _source, local_date, location_id
