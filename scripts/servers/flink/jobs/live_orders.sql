CREATE TABLE orders (order_id BIGINT, customer_id BIGINT, amount DECIMAL(12, 2), status STRING) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'shop.orders', 'scan.startup.mode' = 'earliest-offset')

CREATE TABLE live (order_id BIGINT, amount DECIMAL(12, 2)) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'shop.live')

INSERT INTO live SELECT order_id, amount FROM orders
