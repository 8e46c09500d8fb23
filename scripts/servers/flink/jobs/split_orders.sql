CREATE TABLE orders (order_id BIGINT, customer_id BIGINT, amount DECIMAL(12, 2), status STRING) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'shop.orders', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset')

CREATE TABLE amounts (order_id BIGINT, amount DECIMAL(12, 2)) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'shop.amounts')

CREATE TABLE files (order_id BIGINT, status STRING) WITH ('connector' = 'filesystem', 'path' = '${folder}/order_states', 'format' = 'csv')

EXECUTE STATEMENT SET BEGIN
INSERT INTO amounts SELECT order_id, amount FROM orders;
INSERT INTO files SELECT order_id, status FROM orders;
END
