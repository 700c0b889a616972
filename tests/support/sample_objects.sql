-- Second part of the sample: sequences, what depends on tables, rights, large objects.

-- Sequences --------------------------------------------------------------------------------------
CREATE SEQUENCE public.never_called;
CREATE SEQUENCE public.descending INCREMENT BY -3 START WITH -1 MINVALUE -100 MAXVALUE -1;
CREATE SEQUENCE public.cycling MAXVALUE 3 CYCLE;
CREATE SEQUENCE public.cached AS smallint CACHE 20;
CREATE SEQUENCE public.was_set OWNED BY public.was_wider.id;
SELECT nextval('public.descending') FROM generate_series(1, 4);
SELECT nextval('public.cycling') FROM generate_series(1, 5);
SELECT nextval('public.cached');
SELECT setval('public.was_set', 41, false);
SELECT nextval('"Mixed Case"."Sequence ''one''"');

-- Keys, indexes, statistics ----------------------------------------------------------------------
CREATE TABLE public.nodes (
    id integer PRIMARY KEY, up integer REFERENCES public.nodes DEFERRABLE INITIALLY DEFERRED,
    first_text integer REFERENCES public.texts ON DELETE SET NULL, during tstzrange,
    EXCLUDE USING gist (during WITH &&)
);
INSERT INTO public.nodes VALUES (1, NULL, 1, NULL), (2, 1, 2, '[2024-01-01 00:00+00,2024-02-01 00:00+00)'), (3, 2, NULL, NULL);
UPDATE public.nodes SET up = 3 WHERE id = 1;
CREATE UNIQUE INDEX texts_lower ON public.texts (lower(left(value, 100)) COLLATE types.plain DESC NULLS LAST) WHERE id < 5;
CREATE INDEX texts_even ON public.texts (id types.even_first);
CREATE INDEX oddities_tree ON public.oddities USING gin (tree jsonb_path_ops);
CREATE INDEX arrays_words ON public.arrays USING gin (words) WITH (fastupdate = off);
CREATE INDEX numbers_big ON public.numbers USING hash (big);
CREATE STATISTICS public.numbers_both (dependencies, ndistinct) ON small, big FROM public.numbers;
ALTER TABLE public.numbers CLUSTER ON numbers_pkey;
ALTER TABLE public.arrays REPLICA IDENTITY FULL;
ALTER TABLE public.texts SET (fillfactor = 70, autovacuum_enabled = false);

-- Views, rules, triggers -------------------------------------------------------------------------
CREATE VIEW public.open_computed AS SELECT * FROM public.computed WHERE status IN ('new', 'open') WITH LOCAL CHECK OPTION;
CREATE VIEW "Mixed Case"."View on view" WITH (security_barrier) AS
    SELECT total, count(*) OVER () AS "how many" FROM public.open_computed ORDER BY total;
CREATE RECURSIVE VIEW public.chain (id, depth) AS
    SELECT id, 1 FROM public.nodes WHERE id = 1 UNION ALL SELECT n.id, depth + 1 FROM public.nodes n JOIN chain c ON n.up = c.id WHERE depth < 9;
CREATE MATERIALIZED VIEW public.stale AS SELECT count(*) AS rows, sum(id) AS ids FROM "Mixed Case"."Customer";
INSERT INTO "Mixed Case"."Customer" VALUES (3);
CREATE MATERIALIZED VIEW public.fresh AS SELECT place, count(*) AS rows FROM public.measured GROUP BY place;
CREATE UNIQUE INDEX fresh_place ON public.fresh (place);
CREATE MATERIALIZED VIEW public.never_filled AS SELECT * FROM public.fresh WITH NO DATA;

CREATE FUNCTION public.remember() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO public.empty_table (value) VALUES (TG_OP);
    RETURN NEW;
END
$$;
-- A restore must load rows without firing any of these.
CREATE TRIGGER remember AFTER INSERT ON public.texts FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION public.remember();
CREATE TRIGGER "Always, too" BEFORE UPDATE ON public.texts FOR EACH ROW EXECUTE FUNCTION public.remember();
ALTER TABLE public.texts ENABLE ALWAYS TRIGGER "Always, too";
CREATE TRIGGER switched_off AFTER DELETE ON public.texts FOR EACH STATEMENT EXECUTE FUNCTION public.remember();
ALTER TABLE public.texts DISABLE TRIGGER switched_off;
CREATE RULE also AS ON INSERT TO public.unlogged DO ALSO INSERT INTO public.empty_table (value) VALUES ('by a rule');
CREATE RULE instead AS ON DELETE TO public.open_computed DO INSTEAD NOTHING;
CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE FOREIGN TABLE') EXECUTE FUNCTION public.watch();
ALTER EVENT TRIGGER watch ENABLE ALWAYS;

-- Rights -----------------------------------------------------------------------------------------
ALTER TABLE "Mixed Case"."Customer" OWNER TO sample_owner;
GRANT SELECT (id, value), UPDATE (value) ON public.texts TO sample_reader;
GRANT SELECT ON public.numbers TO sample_reader WITH GRANT OPTION;
GRANT ALL ON public.times TO "Sample ""quoted"" Rôle";
GRANT USAGE ON SEQUENCE public.never_called TO sample_app;
REVOKE EXECUTE ON FUNCTION public.remember() FROM PUBLIC;
GRANT USAGE ON TYPE types.mood TO sample_app;
ALTER DEFAULT PRIVILEGES FOR ROLE sample_owner IN SCHEMA "Mixed Case" GRANT SELECT ON TABLES TO sample_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE sample_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER TABLE public.parent ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.parent FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON public.parent AS PERMISSIVE FOR SELECT TO sample_reader USING (name IN ('parent', CURRENT_USER));
CREATE POLICY "no change" ON public.parent AS RESTRICTIVE FOR UPDATE USING (false) WITH CHECK (id > 0);

-- What points elsewhere --------------------------------------------------------------------------
CREATE PUBLICATION "All of it" FOR ALL TABLES WITH (publish = 'insert');
CREATE PUBLICATION part_of_it FOR TABLE public.numbers (id, big) WHERE (id > 10), public.arrays;
CREATE FOREIGN DATA WRAPPER nowhere OPTIONS (debug 'true');
CREATE SERVER unreachable FOREIGN DATA WRAPPER nowhere OPTIONS (host 'nowhere.invalid');
CREATE USER MAPPING FOR sample_app SERVER unreachable OPTIONS (password 'not for logs');
CREATE FOREIGN TABLE public.elsewhere (id integer) SERVER unreachable OPTIONS (name 'x');

-- Whichever of these the build has
DO $$
DECLARE
    extension text;
BEGIN
    FOR extension IN SELECT name FROM pg_available_extensions WHERE name IN ('hstore', 'vector') LOOP
        EXECUTE format('CREATE EXTENSION %I SCHEMA types', extension);
    END LOOP;
END
$$;

-- Large objects ----------------------------------------------------------------------------------
SELECT lo_from_bytea(9000001, 'a small one');
SELECT lo_from_bytea(9000002, '');
SELECT lo_from_bytea(9000003, decode(repeat('00ff', 20000), 'hex'));
-- Sparse: its first 5 MB were never written, and hold no pages.
SELECT lo_create(9000004);
SELECT lo_put(9000004, 5000000, 'the end');
COMMENT ON LARGE OBJECT 9000001 IS 'small';
ALTER LARGE OBJECT 9000001 OWNER TO sample_owner;
GRANT SELECT ON LARGE OBJECT 9000003 TO sample_reader;
