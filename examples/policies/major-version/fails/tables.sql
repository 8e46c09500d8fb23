CREATE TABLE orders.orders (id BIGINT, total DECIMAL(18, 2));
