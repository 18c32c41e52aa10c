select
    _source,
    service_id,
    organization_id,
    name,
    description,
    duration_minutes,
    price_amount,
    price_currency,
    location_ids,
    active,
    created_at,
    updated_at,
    extra
from {{ source('zimun', 'services') }}
