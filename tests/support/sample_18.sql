-- Third part of the sample: what PostgreSQL 18 brought.
CREATE TABLE public.computed_when_read (
    price numeric NOT NULL, count integer,
    total numeric GENERATED ALWAYS AS (price * count) VIRTUAL,
    CONSTRAINT only_stated CHECK (count > 1) NOT ENFORCED
);
INSERT INTO public.computed_when_read (price, count) VALUES (1.5, 2), (0, NULL), (3, 1);
ALTER TABLE public.computed_when_read ADD CONSTRAINT count_known NOT NULL count NOT VALID;
