CREATE TABLE src (order_id BIGINT, total DECIMAL(14, 2)) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'shop.paid', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset')

CREATE TABLE snk (order_id BIGINT, total DECIMAL(14, 2)) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'payments.enriched')

INSERT INTO snk SELECT * FROM src
