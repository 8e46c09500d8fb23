select
    cast(o.placed_at as date) as day,
    c.country,
    sum(o.amount) as revenue,
    count(*) as orders
from {{ source('silver', 'orders') }} o
join {{ source('silver', 'customers') }} c on c.customer_id = o.customer_id
where o.status = 'PAID'
group by 1, 2
