select
    _source,
    staff_id,
    organization_id,
    location_id,
    name,
    email,
    phone,
    service_ids,
    active,
    created_at,
    updated_at,
    extra
from {{ source('zimun', 'staff') }}
