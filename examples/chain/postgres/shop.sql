-- The operational database of the shop. scripts/record-chain runs these statements in the database `shop` of a PostgreSQL.
CREATE TABLE public.customers (
  customer_id bigint PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL,
  country text NOT NULL
);

CREATE TABLE public.orders (
  order_id bigint PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES public.customers (customer_id),
  amount numeric(12, 2) NOT NULL,
  status text NOT NULL,
  placed_at timestamptz NOT NULL
);
