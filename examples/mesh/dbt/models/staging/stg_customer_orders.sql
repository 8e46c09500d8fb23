select
    order_id,
    buyer_key,
    total_amount,
    currency,
    created_at
from {{ source('lake', 'customer_orders') }}
where status <> 'pending'
