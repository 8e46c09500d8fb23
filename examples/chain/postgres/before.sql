-- Rows that are there when Debezium takes its snapshot.
INSERT INTO public.customers VALUES
  (1, 'Ada', 'ada@example.com', 'ES'),
  (2, 'Ben', 'ben@example.com', 'FR'),
  (3, 'Cleo', 'cleo@example.com', 'ES');

INSERT INTO public.orders VALUES
  (101, 1, 20.50, 'PAID', '2026-03-01 09:15:00+00'),
  (102, 2, 99.00, 'PAID', '2026-03-01 10:40:00+00'),
  (103, 3, 12.25, 'OPEN', '2026-03-01 11:05:00+00'),
  (104, 1, 45.00, 'PAID', '2026-03-02 08:30:00+00');
