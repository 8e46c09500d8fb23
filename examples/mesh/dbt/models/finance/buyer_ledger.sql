select
    o.order_id,
    o.buyer_key,
    o.total_amount as ordered_amount,
    p.paid_amount,
    o.currency
from {{ ref('stg_customer_orders') }} as o
left join {{ ref('stg_payments') }} as p on p.order_id = o.order_id
