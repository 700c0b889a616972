-- A morning at the shop, after the night's backup: some honest work …
\set ON_ERROR_STOP on
BEGIN;
UPDATE shop.orders SET status = 'shipped' WHERE status = 'paid' AND placed_at >= '2026-11-01 00:00+00';
UPDATE shop.products SET price = round(price * 0.9, 2) WHERE id BETWEEN 1 AND 100;
INSERT INTO shop.orders (customer_id, placed_at, payment, invoice, ship_to)
    SELECT n, '2026-11-22 08:00+00', 'card', nextval('shop.invoice_number'), '{}' FROM generate_series(1, 500) AS n;
SELECT lo_unlink(20260402) AS removed \gset
COMMIT;
-- … and then somebody tidies up, in the wrong window.
SET client_min_messages = warning;
DROP TABLE shop.order_lines CASCADE;
