-- Every night: customers' orders for those who read the shared Delta catalog, without address and e-mail.
DELETE FROM delta.orders.customer_orders;

INSERT INTO delta.orders.customer_orders (order_id, customer_id, total_amount, currency, status, created_at)
SELECT o.order_id, o.customer_id, o.total_amount, o.currency, o.status, o.created_at
FROM iceberg.orders.customer_orders AS o
WHERE o.status <> 'pending';

-- What the support desk may see of them.
CREATE OR REPLACE VIEW delta.orders.open_orders AS
SELECT order_id, customer_id, created_at
FROM delta.orders.customer_orders
WHERE status = 'confirmed';
