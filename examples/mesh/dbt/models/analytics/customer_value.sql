select
    buyer_key,
    sum(total_amount) as lifetime_value,
    min(created_at) as first_order_at,
    case when sum(total_amount) >= 80 then 'gold' else 'standard' end as value_tier
from {{ ref('stg_customer_orders') }}
group by buyer_key
