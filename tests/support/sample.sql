-- One of nearly everything that a backup has to bring back and a fingerprint has to tell apart.
-- Deterministic; loads into an empty database of PostgreSQL 15 and later, as a superuser.
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET check_function_bodies = on;

-- Roles belong to the server: another copy of the sample may have made them before.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sample_owner', 'sample_app', 'sample_reader', 'Sample "quoted" Rôle'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I', name);
        END IF;
    END LOOP;
END
$$;
ALTER ROLE sample_app LOGIN PASSWORD 'sample' CONNECTION LIMIT 7 VALID UNTIL '2037-01-01 00:00:00+00';
ALTER ROLE sample_app SET work_mem = '5MB';
GRANT sample_reader TO sample_app WITH ADMIN OPTION;
COMMENT ON ROLE sample_reader IS 'reads, it''s all';

-- Settings that change how values look: neither a dump nor a fingerprint may depend on them.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET bytea_output = ''escape''', current_database());
    EXECUTE format('ALTER DATABASE %I SET datestyle = ''German''', current_database());
    EXECUTE format('ALTER DATABASE %I SET intervalstyle = ''sql_standard''', current_database());
    EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Kathmandu''', current_database());
    EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -5', current_database());
    EXECUTE format('ALTER DATABASE %I SET search_path = "Mixed Case", public', current_database());
    EXECUTE format('ALTER ROLE sample_app IN DATABASE %I SET statement_timeout = ''1min''', current_database());
    EXECUTE format('COMMENT ON DATABASE %I IS ''the sample''', current_database());
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO sample_app', current_database());
END
$$;

CREATE SCHEMA "Mixed Case" AUTHORIZATION sample_owner;
CREATE SCHEMA types;
COMMENT ON SCHEMA "Mixed Case" IS E'with a\nnewline and ''quotes''';
GRANT USAGE ON SCHEMA "Mixed Case" TO sample_reader;

-- Types, and what hangs on them -----------------------------------------------------------------
CREATE TYPE types.mood AS ENUM ('sad', 'ok', 'it''s fine');
ALTER TYPE types.mood ADD VALUE 'angry' BEFORE 'sad';
CREATE DOMAIN types.percentage AS numeric(5, 2) DEFAULT 0 CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN types.code AS varchar(8) CHECK (VALUE IN ('a', 'b', 'c')) NOT NULL;
CREATE TYPE types.address AS (street text, "Zip Code" varchar(10), share types.percentage);
CREATE TYPE types.floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE COLLATION types.plain (provider = libc, locale = 'C');
COMMENT ON TYPE types.mood IS 'an enum';

CREATE FUNCTION types.first_even(a integer, b integer) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN sign(abs(a) % 2 - abs(b) % 2) * 2 + sign(a - b);
CREATE FUNCTION types.even_less(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT
    RETURN types.first_even($1, $2) < 0;
CREATE OPERATOR types.<< (LEFTARG = integer, RIGHTARG = integer, FUNCTION = types.even_less);
CREATE OPERATOR CLASS types.even_first FOR TYPE integer USING btree AS
    OPERATOR 1 types.<<(integer, integer), OPERATOR 3 =, FUNCTION 1 types.first_even(integer, integer);
CREATE FUNCTION types.address_text(types.address) RETURNS text LANGUAGE sql IMMUTABLE
    AS $_$ SELECT ($1).street || ', ' || ($1)."Zip Code" $_$;
CREATE CAST (types.address AS text) WITH FUNCTION types.address_text(types.address);
CREATE AGGREGATE types.longest(text) (SFUNC = textcat, STYPE = text, INITCOND = '');
CREATE PROCEDURE types.nothing(INOUT value integer DEFAULT 1) LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE TEXT SEARCH DICTIONARY types.english_plain (TEMPLATE = simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION types.plain_english (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION types.plain_english ALTER MAPPING FOR asciiword WITH types.english_plain;

-- Values -----------------------------------------------------------------------------------------
CREATE TABLE public.texts (id integer PRIMARY KEY, value text, fixed char(5), short varchar(5), one "char");
COMMENT ON TABLE public.texts IS 'NULL is not empty';
COMMENT ON COLUMN public.texts.value IS 'anything';
INSERT INTO public.texts VALUES
    (1, NULL, NULL, NULL, NULL), (2, '', '', '', ''), (3, ' ', ' ', ' ', ' '), (4, 'NULL', 'NULL', 'NULL', 'N'),
    (5, E'\\N', E'\\N', E'\\N', '\'), (6, E'\\.', E'\\.', E'\\.', '.'),
    (7, E'tab\tnew\nline\rback\\slash"quote''', 'ab', 'ab', 'a'), (8, 'żółć 日本 🐘', 'é', '日本', 'z'),
    (9, repeat('long, and compressed well; ', 40000), 'x', 'x', 'x'), (10, 'a,b', '(a)', '{a}', '{');
INSERT INTO public.texts SELECT 11, string_agg(md5(n::text), ''), 'x', 'x', 'x' FROM generate_series(1, 3000) AS n;

CREATE TABLE public.numbers (
    id integer GENERATED ALWAYS AS IDENTITY (START WITH 10 INCREMENT BY 5) PRIMARY KEY,
    small smallint, big bigint, exact numeric, scaled numeric(10, 3), single real, twice double precision,
    cash money, share types.percentage
);
INSERT INTO public.numbers (small, big, exact, scaled, single, twice, cash, share) VALUES
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (-32768, -9223372036854775808, 'NaN', 'NaN', 'NaN', 'NaN', -0.01, 0),
    (32767, 9223372036854775807, 'Infinity', 0.001, 'Infinity', '-Infinity', 92233720368547758.07, 100),
    (0, 0, '-Infinity', -0.000, '-0', '-0', 0, 33.33),
    (1, 1, 1.0, 1, 0.1, 0.1, 1234.5, 1), (1, 1, 1.00, 1.000, 1e-45, 5e-324, 12, 1),
    (2, 2, 1e-200, 1e6, 3.4028235e38, 1.7976931348623157e308, -12, 2),
    (3, 3, 12345678901234567890.12345678901234567890, 3, 16777217, 0.1::float8 + 0.2::float8, 3, 3);

CREATE TABLE public.times (
    id integer PRIMARY KEY, day date, clock time, zoned_clock timetz, plain timestamp, zoned timestamptz, span interval
);
INSERT INTO public.times VALUES
    (1, NULL, NULL, NULL, NULL, NULL, NULL),
    (2, 'infinity', '00:00', '00:00+14', 'infinity', '-infinity', '0'),
    (3, '4713-01-01 BC', '24:00', '23:59:59.999999-12', '4713-01-01 00:00 BC', '0044-03-15 12:00+00 BC', '-1 mon +1 day -1 us'),
    (4, '5874897-12-31', '12:34:56.789', '12:34+05:45', '294276-12-31 23:59:59.999999', '2024-02-29 23:59:60+00', '1 year 2 mons 3 days 04:05:06.7'),
    (5, '2025-03-30', '02:30', '02:30+01', '2025-03-30 02:30', '2025-03-30 02:30+01', '24 hours'),
    (6, '2025-03-30', '02:30', '03:30+02', '2025-03-30 02:30', '2025-03-30 01:30+00', '1 day');

CREATE TABLE public.oddities (
    id integer PRIMARY KEY, flags bit(3), many bit varying, id128 uuid, net inet, block cidr, mac macaddr,
    raw bytea, doc json, tree jsonb, words tsvector, query tsquery, spot point, shape polygon, lsn pg_lsn,
    mood types.mood, home types.address, span types.floatrange, spans int4multirange, days daterange,
    relation regclass, kind regtype, routine regprocedure, number oid, label name
);
INSERT INTO public.oddities (id) VALUES (1);
INSERT INTO public.oddities VALUES
    (2, B'101', B'', '00000000-0000-0000-0000-000000000001', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03',
     '', '{"b": 1,  "a":[], "b": 2}', '{"b": 1, "a": [1.0, 1.00, null, "\u00e9"]}', 'a:1A b:2', 'a & !b', '(1,-0)',
     '((0,0),(1,1),(1,0))', '0/16B3748', 'angry', ROW('Weg 1', NULL, 12.5), '[0.1,0.3)', '{[1,3),[7,)}', 'empty',
     'pg_class', 'integer', 'lower(text)', 'pg_class'::regclass::oid, 'name'),
    (3, B'000', B'1', NULL, '::1', '::/0', NULL, decode('00ff5c27225c6e0a', 'hex'), 'null', 'null', '', '', '(NaN,Infinity)',
     NULL, '0/0', 'it''s fine', ROW(NULL, '', NULL), '(,)', '{}', '[2024-01-01,2024-12-31]',
     'public.texts', 'types.mood', 'types.first_even(integer,integer)', 0, ''),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, (SELECT decode(string_agg(lpad(to_hex(n), 2, '0'), ''), 'hex') FROM generate_series(0, 255) AS n),
     '[]', '{}', NULL, NULL, NULL, NULL, NULL, 'ok', NULL, 'empty', NULL, NULL, NULL, NULL, NULL, 4294967295, NULL);

CREATE TABLE public.arrays (id integer PRIMARY KEY, numbers integer[], words text[], grid integer[][], moods types.mood[],
    homes types.address[], codes types.percentage[]);
INSERT INTO public.arrays VALUES
    (1, NULL, NULL, NULL, NULL, NULL, NULL), (2, '{}', '{}', '{}', '{}', '{}', '{}'),
    (3, '{NULL}', '{NULL,"NULL","",null}', '{{1,2},{3,NULL}}', '{sad,NULL}', ARRAY[ROW('a', 'b', 1)::types.address, NULL], '{1,NULL}'),
    (4, '[0:2]={1,2,3}', ARRAY['a,b', '"', E'\\', '{}', ' '], '[-1:0][5:5]={{1},{2}}', '{"it''s fine"}', NULL, '{0}');

-- Shapes of tables -------------------------------------------------------------------------------
CREATE TABLE public.no_columns ();
INSERT INTO public.no_columns DEFAULT VALUES;
INSERT INTO public.no_columns DEFAULT VALUES;
CREATE TABLE public.empty_table (id bigserial PRIMARY KEY, value text NOT NULL DEFAULT 'x');

CREATE TABLE public.was_wider (gone_first text, id integer, gone text, kept text);
INSERT INTO public.was_wider VALUES ('x', 1, 'secret', 'kept'), ('y', 2, 'secret', NULL), ('y', 2, 'secret', NULL);
ALTER TABLE public.was_wider DROP COLUMN gone_first, DROP COLUMN gone, ADD COLUMN later text DEFAULT 'added';
ALTER TABLE public.was_wider ALTER COLUMN kept SET STORAGE EXTERNAL, ALTER COLUMN kept SET STATISTICS 500;

CREATE TABLE public.computed (
    price numeric NOT NULL, count integer NOT NULL,
    total numeric GENERATED ALWAYS AS (price * count) STORED,
    status varchar(10) DEFAULT 'new' CHECK (status IN ('new', 'open', 'it''s done')),
    code types.code DEFAULT 'a',
    CONSTRAINT "cheap or few" CHECK (price < 100 OR count < 10)
);
INSERT INTO public.computed (price, count, status) VALUES (9.99, 3, 'new'), (0.10, 7, NULL), (1000, 1, 'it''s done');
ALTER TABLE public.computed ADD CONSTRAINT not_checked_yet CHECK (count > 1) NOT VALID;

CREATE TABLE public.parent (id integer PRIMARY KEY, name text, made date DEFAULT '2024-01-01');
CREATE TABLE public.child (extra text, made date, name text, id integer NOT NULL);
ALTER TABLE public.child INHERIT public.parent;
CREATE TABLE public.grandchild (more integer) INHERITS (public.child);
INSERT INTO public.parent VALUES (1, 'parent');
INSERT INTO public.child VALUES ('extra', '2024-02-02', 'child', 2), (NULL, NULL, NULL, 1);
INSERT INTO public.grandchild (id, more) VALUES (3, 3);

CREATE TABLE public.measured (at timestamptz NOT NULL, place integer NOT NULL, value float8) PARTITION BY RANGE (at);
CREATE TABLE public.measured_2024 (value float8, place integer NOT NULL, at timestamptz NOT NULL);
ALTER TABLE public.measured ATTACH PARTITION public.measured_2024 FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2025-01-01 00:00+00');
CREATE TABLE public.measured_2025 PARTITION OF public.measured
    FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2026-01-01 00:00+00') PARTITION BY HASH (place);
CREATE TABLE public.measured_2025_0 PARTITION OF public.measured_2025 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE public.measured_2025_1 PARTITION OF public.measured_2025 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE public.measured_rest PARTITION OF public.measured DEFAULT;
CREATE INDEX measured_at ON public.measured USING brin (at);
INSERT INTO public.measured
    SELECT timestamptz '2023-12-01 00:00+00' + n * interval '7 hours', n % 13, sin(n) FROM generate_series(1, 3000) AS n;
CREATE TABLE public.hashed (word text COLLATE types.plain, kind types.mood) PARTITION BY HASH (word, kind);
CREATE TABLE public.hashed_0 PARTITION OF public.hashed FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE public.hashed_1 PARTITION OF public.hashed FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE public.hashed_2 PARTITION OF public.hashed FOR VALUES WITH (MODULUS 3, REMAINDER 2);
-- A row's partition depends on the enum's OIDs: a plain dump would put it into another one.
INSERT INTO public.hashed SELECT md5(n::text), (ARRAY['sad', 'ok', NULL])[n % 3 + 1]::types.mood FROM generate_series(1, 50) AS n;

CREATE UNLOGGED TABLE public.unlogged (id integer PRIMARY KEY, value text);
INSERT INTO public.unlogged VALUES (1, 'not in the WAL');

-- Names ------------------------------------------------------------------------------------------
CREATE TABLE "Mixed Case"."Customer's ""best"" table" ("Id" integer, "select" text, "with space" text, "ünïcödé" text, "-dash" text);
INSERT INTO "Mixed Case"."Customer's ""best"" table" VALUES (1, 'a', 'b', 'c', 'd');
CREATE TABLE "Mixed Case".customer (id integer);
CREATE TABLE "Mixed Case"."Customer" (id integer);
INSERT INTO "Mixed Case"."Customer" VALUES (1), (2);
CREATE TABLE "-leading dash" (id integer);
INSERT INTO "-leading dash" VALUES (1);
CREATE TABLE "new
line" (id integer, "column
too" text);
INSERT INTO "new
line" VALUES (1, 'x');
CREATE TABLE "日本 ;DROP TABLE x--" (id integer);
CREATE TABLE "*?[a].%s {0}" (id integer);
CREATE TABLE "../up" (id integer);
CREATE SEQUENCE "Mixed Case"."Sequence 'one'" START 5;
