-- Changes that Debezium streams after its snapshot.
UPDATE public.orders SET status = 'PAID', amount = 14.25 WHERE order_id = 103;
INSERT INTO public.orders VALUES (105, 2, 8.00, 'OPEN', '2026-03-02 12:00:00+00');
DELETE FROM public.orders WHERE order_id = 105;
UPDATE public.customers SET email = 'cleo@example.org' WHERE customer_id = 3;
