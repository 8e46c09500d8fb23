CREATE TABLE orders.orders (id BIGINT, customer_id BIGINT, total DECIMAL(18, 2));
CREATE TABLE marketing.orders AS SELECT id, customer_id, total FROM orders.orders;
