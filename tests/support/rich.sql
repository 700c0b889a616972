-- A shop that uses what extensions and newer features offer. For the distribution's servers, which have contrib.
SET client_min_messages = warning;
CREATE EXTENSION pgcrypto;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE EXTENSION btree_gist;
CREATE EXTENSION citext;
CREATE EXTENSION postgres_fdw;

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rich_owner') THEN CREATE ROLE rich_owner; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rich_reader') THEN CREATE ROLE rich_reader LOGIN CONNECTION LIMIT 9; END IF;
END $$;
GRANT rich_reader TO rich_owner;

CREATE SCHEMA app AUTHORIZATION rich_owner;
CREATE TYPE app.state AS ENUM ('new', 'paid', 'sent');
CREATE TYPE app.address AS (street text, town text);
CREATE TYPE app.span AS RANGE (subtype = numeric);
CREATE DOMAIN app.email AS citext CHECK (VALUE LIKE '%@%');
CREATE DOMAIN app.amount AS numeric(12, 2) NOT NULL CHECK (VALUE >= 0);

CREATE TABLE app.customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email app.email UNIQUE NOT NULL,
    home app.address,
    secret text NOT NULL,
    extra hstore DEFAULT ''::hstore,
    path ltree
);
CREATE INDEX customers_email_trgm ON app.customers USING gin ((email::text) gin_trgm_ops);
CREATE INDEX customers_path ON app.customers USING gist (path);
CREATE TABLE app.orders (
    id bigserial PRIMARY KEY,
    customer bigint NOT NULL REFERENCES app.customers ON DELETE RESTRICT,
    state app.state NOT NULL DEFAULT 'new',
    net app.amount, tax app.amount,
    gross numeric GENERATED ALWAYS AS (net + tax) STORED,
    placed timestamptz NOT NULL DEFAULT now(),
    limits app.span
) WITH (fillfactor = 80);
CREATE INDEX orders_placed ON app.orders USING brin (placed);
CREATE INDEX orders_open ON app.orders (customer, placed DESC) INCLUDE (gross) WHERE state <> 'sent';
CREATE TABLE app.rooms (room int, during tstzrange, EXCLUDE USING gist (room WITH =, during WITH &&));
CREATE TABLE app.events (id int NOT NULL, at date NOT NULL, body jsonb, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE app.events_old PARTITION OF app.events FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE app.events_new PARTITION OF app.events FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
CREATE TABLE app.files (name text COLLATE "C" PRIMARY KEY, content bytea);
CREATE UNLOGGED TABLE app.sessions (id uuid DEFAULT gen_random_uuid(), body text);

CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.extra = coalesce(NEW.extra, '') || 'seen=>yes'; RETURN NEW; END $$;
CREATE TRIGGER customers_touch BEFORE INSERT OR UPDATE ON app.customers FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE FUNCTION app.total(bigint) RETURNS numeric LANGUAGE sql STABLE AS $$ SELECT sum(gross) FROM app.orders WHERE customer = $1 $$;
CREATE PROCEDURE app.ship(bigint) LANGUAGE plpgsql AS $$ BEGIN UPDATE app.orders SET state = 'sent' WHERE id = $1; END $$;
-- Finds its table by the search path of whoever calls it, as many applications' functions do.
CREATE FUNCTION app.count_orders() RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$;
SET search_path = app, public;
CREATE OR REPLACE FUNCTION app.count_orders() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM orders $$;
RESET search_path;
CREATE AGGREGATE app.longest(text) (SFUNC = textcat, STYPE = text);
CREATE VIEW app.open_orders WITH (security_barrier) AS SELECT id, customer, gross FROM app.orders WHERE state <> 'sent';
CREATE MATERIALIZED VIEW app.sales AS SELECT date_trunc('day', placed) AS day, sum(gross) AS total FROM app.orders GROUP BY 1;
ALTER TABLE app.customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.customers FORCE ROW LEVEL SECURITY;
CREATE POLICY reads_own ON app.customers FOR SELECT TO rich_reader USING (email::text = current_user);
CREATE FUNCTION app.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER app_watch ON ddl_command_end EXECUTE FUNCTION app.watch();
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid', dbname 'x');
CREATE USER MAPPING FOR rich_owner SERVER elsewhere OPTIONS (user 'x', password 'y');
CREATE FOREIGN TABLE app.remote (id int, name text) SERVER elsewhere;
CREATE PUBLICATION app_orders FOR TABLE app.orders (id, state) WHERE (id > 10), app.customers;
CREATE STATISTICS app.orders_both (dependencies) ON customer, state FROM app.orders;
GRANT USAGE ON SCHEMA app TO rich_reader;
GRANT SELECT (id, state) ON app.orders TO rich_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE rich_owner IN SCHEMA app GRANT SELECT ON TABLES TO rich_reader;
COMMENT ON TABLE app.orders IS 'what was ordered';

INSERT INTO app.customers (email, home, secret, path)
    SELECT 'c' || n || '@example.org', ROW('street ' || n, 'town')::app.address, crypt('p' || n, gen_salt('bf', 4)), ('a.b' || n)::ltree
    FROM generate_series(1, 40) n;
INSERT INTO app.orders (customer, state, net, tax, placed, limits)
    SELECT 1 + n % 40, (enum_range(NULL::app.state))[1 + n % 3], n, n * 0.19, now() - n * interval '1 hour', app.span(n, n + 5)
    FROM generate_series(1, 2000) n;
INSERT INTO app.rooms SELECT n, tstzrange(now(), now() + interval '1 hour') FROM generate_series(1, 5) n;
INSERT INTO app.events SELECT n, date '2025-06-01' + n, jsonb_build_object('n', n) FROM generate_series(1, 500) n;
INSERT INTO app.files SELECT 'f' || n, gen_random_bytes(1000) || gen_random_bytes(1000) FROM generate_series(1, 20) n;
SELECT lo_from_bytea(7001, 'a large object');
SELECT lo_from_bytea(7002, decode(repeat('00ff', 5000), 'hex'));
REFRESH MATERIALIZED VIEW app.sales;
