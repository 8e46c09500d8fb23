with paid as (
    select
        o.created_at,
        o.currency,
        p.paid_amount
    from {{ ref('stg_customer_orders') }} as o
    join {{ ref('stg_payments') }} as p on p.order_id = o.order_id
)

select
    cast(created_at as date) as day,
    currency,
    sum(paid_amount) as revenue,
    count(*) as orders
from paid
group by 1, 2
