select
    places._source,
    places.location_id,
    coalesce(places.organization_id, houses.organization_id) as organization_id,
    places.name,
    houses.name as organization_name,
    coalesce(places.timezone, houses.timezone) as timezone,
    houses.country,
    houses.currency,
    places.address,
    places.email,
    places.phone,
    places.created_at,
    places.updated_at,
    places.extra
from {{ source('zimun', 'locations') }} as places
left join {{ source('zimun', 'organization') }} as houses
    on houses._source = places._source
    and houses.organization_id = coalesce(places.organization_id, houses.organization_id)
