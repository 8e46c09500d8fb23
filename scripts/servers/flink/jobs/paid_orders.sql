CREATE TABLE orders (order_id BIGINT, customer_id BIGINT, amount DECIMAL(12, 2), status STRING) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'shop.orders', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset')

CREATE TABLE paid (order_id BIGINT, total DECIMAL(14, 2)) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'shop.paid')

INSERT INTO paid SELECT order_id, amount * 2 FROM orders WHERE status <> 'OPEN'
