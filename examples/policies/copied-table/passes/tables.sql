CREATE TABLE orders.orders (id BIGINT, customer_id BIGINT, total DECIMAL(18, 2));
CREATE TABLE marketing.orders AS SELECT customer_id, sum(total) AS spent FROM orders.orders GROUP BY customer_id;
