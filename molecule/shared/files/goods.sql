-- What a database of somebody's may hold: tables, a sequence, a view, and a large object.
CREATE TABLE goods (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, price numeric(10, 2));
CREATE TABLE sales (goods bigint NOT NULL REFERENCES goods, sold timestamptz NOT NULL, amount int CHECK (amount > 0));
INSERT INTO goods (name, price) SELECT md5(i::text), i % 997 + 0.5 FROM generate_series(1, 5000) AS i;
INSERT INTO sales SELECT i % 5000 + 1, timestamptz '2026-01-01' + i * interval '1 minute', i % 7 + 1
FROM generate_series(1, 20000) AS i;
CREATE INDEX ON sales (sold);
CREATE VIEW turnover AS SELECT date_trunc('day', sold) AS day, sum(amount * price) FROM sales JOIN goods ON id = goods
GROUP BY 1;
SELECT lo_from_bytea(0, 'a photograph');
