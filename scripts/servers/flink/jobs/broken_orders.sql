CREATE TABLE orders (order_id BIGINT, customer_id BIGINT, amount DECIMAL(12, 2), status STRING) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'shop.orders', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset')

CREATE TABLE missing (order_id BIGINT, amount DECIMAL(12, 2)) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://${database}/shop', 'username' = '${user}', 'password' = '${password}', 'table-name' = 'mart.no_such_table')

INSERT INTO missing SELECT order_id, amount FROM orders
