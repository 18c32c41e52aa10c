select
    _source,
    resource_id,
    organization_id,
    location_id,
    name,
    kind,
    active,
    created_at,
    updated_at,
    extra
from {{ source('zimun', 'resources') }}
