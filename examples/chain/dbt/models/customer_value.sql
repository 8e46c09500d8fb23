select
    c.customer_id,
    c.country,
    coalesce(sum(o.amount), 0) as lifetime_value
from {{ source('silver', 'customers') }} c
left join {{ source('silver', 'orders') }} o on o.customer_id = c.customer_id and o.status = 'PAID'
group by 1, 2
