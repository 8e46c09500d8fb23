select
    payment_id,
    order_id,
    amount as paid_amount,
    currency
from {{ source('lake', 'payment_confirmed') }}
