-- About a million rows. What looks random is a hash of the row's number.
SET timezone = 'UTC';

-- A number from 0 up to `below`, for row `n` and its property number `salt`.
CREATE FUNCTION pg_temp.pick(n bigint, salt bigint, below integer) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (hashint8extended(n, salt) & 1048575) % below;

INSERT INTO shop.customers (email, name, country, joined, tags, profile, newsletter)
SELECT
    format('customer%s@example.%s', n, (ARRAY['com', 'org', 'net'])[pg_temp.pick(n, 1, 3) + 1]),
    (ARRAY['Ada', 'Björn', 'Chloé', 'Dmitri', 'Elif', 'Noël', 'Siân', 'Zoë'])[pg_temp.pick(n, 2, 8) + 1] || ' ' ||
    (ARRAY['Kowalska', 'O''Brien', 'Müller', 'Nguyễn', 'Ångström', 'Smith'])[pg_temp.pick(n, 3, 6) + 1],
    (ARRAY['DE', 'FR', 'IE', 'PL', 'SE'])[pg_temp.pick(n, 4, 5) + 1],
    timestamptz '2023-01-01' + n * interval '31 minutes',
    (ARRAY['{}', '{new}', '{regular,"pays late"}', '{NULL,vip}'])[pg_temp.pick(n, 5, 4) + 1]::text[],
    jsonb_build_object('points', pg_temp.pick(n, 6, 5000), 'size', (ARRAY['S', 'M', 'L', NULL])[pg_temp.pick(n, 7, 4) + 1]),
    CASE pg_temp.pick(n, 8, 3) WHEN 0 THEN true WHEN 1 THEN false END
FROM generate_series(1, 60000) AS n;

INSERT INTO shop.products (sku, title, price, delivery, image, facts)
SELECT
    'SKU-' || lpad(n::text, 6, '0'),
    (ARRAY['Lamp', 'Chair', 'Teapot', 'Rug', 'Clock'])[pg_temp.pick(n, 11, 5) + 1] || ' No. ' || n,
    (pg_temp.pick(n, 12, 30000) + 99) / 100.0,
    (1 + pg_temp.pick(n, 13, 9)) * interval '1 day' + pg_temp.pick(n, 14, 24) * interval '1 hour',
    CASE WHEN n % 4 = 0 THEN
        (SELECT string_agg(sha256(int8send(n * 1000 + block)), '' ORDER BY block) FROM generate_series(1, 160) AS block)
    END,
    jsonb_build_object('weight', pg_temp.pick(n, 15, 9000) / 1000.0, 'colours', jsonb_build_array('red', 'blue', n % 7))
FROM generate_series(1, 2000) AS n;

INSERT INTO shop.orders (customer_id, placed_at, status, payment, invoice, ship_to, note)
SELECT
    1 + pg_temp.pick(n, 21, 60000),
    timestamptz '2026-04-01 00:00+00' + n * interval '92 seconds',
    (ARRAY['paid', 'shipped', 'shipped', 'shipped', 'shipped', 'returned', 'cancelled', 'placed'])[pg_temp.pick(n, 22, 8) + 1]::shop.order_status,
    (ARRAY['card', 'invoice', 'transfer'])[pg_temp.pick(n, 23, 3) + 1],
    CASE WHEN n % 9 > 0 THEN 99999 + n END,
    jsonb_build_object('street', 'Lindenstraße ' || pg_temp.pick(n, 24, 200), 'zip', lpad(pg_temp.pick(n, 25, 99999)::text, 5, '0')),
    CASE WHEN n % 17 = 0 THEN 'Leave it with the neighbour, "third floor".' WHEN n % 5 = 0 THEN '' END
FROM generate_series(1, 220000) AS n;

INSERT INTO shop.order_lines (order_id, line, placed_at, product_id, quantity, price)
SELECT
    n, line, timestamptz '2026-04-01 00:00+00' + n * interval '92 seconds',
    1 + pg_temp.pick(n * 8 + line, 31, 2000), 1 + pg_temp.pick(n * 8 + line, 32, 4), (pg_temp.pick(n * 8 + line, 33, 30000) + 99) / 100.0
FROM generate_series(1, 220000) AS n, generate_series(1, 2 + n % 3) AS line;

INSERT INTO "ShopArchive"."Orders2025"
SELECT n, 'customer' || pg_temp.pick(n, 41, 60000), date '2025-01-01' + (n / 165)::integer, pg_temp.pick(n, 42, 90000) / 100.0
FROM generate_series(1, 60000) AS n;

INSERT INTO shop.documents VALUES
    ('terms of sale', lo_from_bytea(20260401, convert_to(repeat(E'§ 1  We sell, you buy.\n', 5000), 'UTF8'))),
    ('catalogue', lo_from_bytea(20260402, (SELECT string_agg(sha256(int8send(n)), '' ORDER BY n) FROM generate_series(1, 30000) AS n)));
COMMENT ON LARGE OBJECT 20260401 IS 'terms of sale, as of April';
SELECT setval('shop.invoice_number', 320000) AS last_invoice \gset
