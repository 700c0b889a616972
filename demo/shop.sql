-- A shop's database: about a million rows, the same on every machine (nothing in it is random).
-- Run by psql, as a superuser, on a server that has no database of this name.
\set ON_ERROR_STOP on

CREATE ROLE shop_owner;
CREATE ROLE shop_app LOGIN PASSWORD 'only for the demo' CONNECTION LIMIT 50;
CREATE ROLE shop_report LOGIN;
GRANT pg_read_all_stats TO shop_report;
ALTER ROLE shop_report SET default_transaction_read_only = on;
COMMENT ON ROLE shop_app IS 'what the web shop connects as';

CREATE DATABASE shop OWNER shop_owner TEMPLATE template0 ENCODING 'UTF8';
COMMENT ON DATABASE shop IS 'orders of the web shop';
REVOKE TEMPORARY ON DATABASE shop FROM PUBLIC;
ALTER DATABASE shop SET timezone = 'Europe/Berlin';
ALTER DATABASE shop SET search_path = shop, public;
ALTER DATABASE shop SET "shop.country" = 'DE';
ALTER ROLE shop_app IN DATABASE shop SET statement_timeout = '30s';

\connect shop
\ir shop_schema.sql
\ir shop_rows.sql
\ir shop_rules.sql
RESET ROLE;
ANALYZE;
