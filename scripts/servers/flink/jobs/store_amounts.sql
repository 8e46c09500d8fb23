CREATE TABLE orders (order_id BIGINT, customer_id BIGINT, amount DECIMAL(12, 2), status STRING) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'shop.orders', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset')

CREATE TABLE customers (id BIGINT, country STRING) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://${database}/shop', 'username' = '${user}', 'password' = '${password}', 'table-name' = 'raw.customers')

CREATE TABLE stored (order_id BIGINT, amount DECIMAL(12, 2)) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://${database}/shop', 'username' = '${user}', 'password' = '${password}', 'table-name' = 'mart.order_amounts')

INSERT INTO stored SELECT o.order_id, o.amount FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.country = 'DE'
