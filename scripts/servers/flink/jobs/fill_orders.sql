CREATE TABLE generated (order_id BIGINT, customer_id BIGINT, amount DECIMAL(12, 2), status STRING)
WITH ('connector' = 'datagen', 'number-of-rows' = '50', 'fields.order_id.kind' = 'sequence', 'fields.order_id.start' = '1',
  'fields.order_id.end' = '50', 'fields.customer_id.min' = '1', 'fields.customer_id.max' = '2')

CREATE TABLE orders (order_id BIGINT, customer_id BIGINT, amount DECIMAL(12, 2), status STRING) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = '${kafka}', 'format' = 'json', 'topic' = 'shop.orders')

INSERT INTO orders SELECT * FROM generated
