CREATE TABLE src (order_id BIGINT, amount DECIMAL(12, 2)) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'shop.orders', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset')

CREATE TABLE snk (order_id BIGINT, amount DECIMAL(12, 2)) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'orders.enriched')

INSERT INTO snk SELECT * FROM src
