select
    _source,
    holiday_id,
    organization_id,
    location_id,
    date,
    name
from {{ source('zimun', 'holidays') }}
