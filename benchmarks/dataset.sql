-- What the benchmark database holds beside pgbench's own tables: one large table of text and JSONB, and
-- 200 small ones. Everything follows from the numbers given to psql, so every run has the same bytes:
--   :documents  rows of the large table (about 1.6 kB each, as text)
--   :small_rows rows of every small table
-- The text is made of words drawn by Zipf's law, so that it compresses about as well as prose does:
-- a phrase is never met again within the window of any compressor in this benchmark.

SET synchronous_commit = off;

-- A number from 0 (included) to 1 (excluded) that depends on nothing but its arguments.
CREATE FUNCTION chance(n bigint, purpose bigint) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (hashint8extended(n, purpose) & 4503599627370495)::double precision / 4503599627370496;

-- A rank from 1 to `ranks`, where rank r comes about as often as 1/r.
CREATE FUNCTION zipf(n bigint, purpose bigint, ranks integer) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN floor(exp(chance(n, purpose) * ln(ranks + 1)))::integer;

CREATE TEMPORARY TABLE words AS
SELECT word_rank, string_agg(syllable, '' ORDER BY place) AS word
FROM (
    SELECT word_rank, place,
           (string_to_array('b c d f g h l m n p r s t v w st tr pl ch br', ' '))
               [1 + floor(20 * chance(word_rank * 8 + place, 1))::integer]
           || (string_to_array('a e i o u ea ou ai', ' '))
               [1 + floor(8 * chance(word_rank * 8 + place, 2) ^ 1.5)::integer]
           || (string_to_array('n,r,s,t,l,nd,ng,,,', ','))
               [1 + floor(10 * chance(word_rank * 8 + place, 3))::integer] AS syllable
    -- Frequent words are short, as in every language.
    FROM generate_series(1, 20000) AS word_rank,
         generate_series(1, 1 + (ln(word_rank) / 4)::integer) AS place
) AS syllables
GROUP BY word_rank;
ALTER TABLE words ADD PRIMARY KEY (word_rank);

CREATE TEMPORARY TABLE phrases AS
SELECT phrase_id, string_agg(word, ' ' ORDER BY place)
           || CASE WHEN chance(phrase_id, 5) < 0.3 THEN '.' WHEN chance(phrase_id, 5) < 0.5 THEN ',' ELSE '' END
           AS phrase
FROM generate_series(0, 262143) AS phrase_id
CROSS JOIN generate_series(1, 4 + floor(12 * chance(phrase_id, 4))::integer) AS place
JOIN words ON word_rank = zipf(phrase_id * 16 + place, 6, 20000)
GROUP BY phrase_id;
ALTER TABLE phrases ADD PRIMARY KEY (phrase_id);
ANALYZE phrases;

CREATE TABLE documents (
    id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    author_id integer NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    attributes jsonb
);

-- Most bodies are a few paragraphs; one in fifty is long enough to be stored out of line.
INSERT INTO documents
SELECT id,
       timestamptz '2024-01-01 00:00:00+00' + id * interval '97 seconds' + chance(id, 10) * interval '1 hour',
       zipf(id, 11, 50000),
       (SELECT initcap(phrase) FROM phrases WHERE phrase_id = hashint8extended(id, 12) & 262143),
       (SELECT string_agg(phrase, ' ' ORDER BY place)
        FROM generate_series(
                 1, floor(CASE WHEN chance(id, 13) < 0.02 THEN 60 ELSE 4 + 32 * chance(id, 14) ^ 2 END)::integer
             ) AS place
        JOIN phrases ON phrase_id = hashint8extended(id * 64 + place, 15) & 262143),
       CASE WHEN chance(id, 16) < 0.95 THEN jsonb_build_object(
           'status', (ARRAY['draft', 'review', 'published', 'archived'])[zipf(id, 17, 4)],
           'revision', zipf(id, 18, 40),
           'score', round((chance(id, 19) * 100)::numeric, 3),
           'source', jsonb_build_object(
               'ip', format('10.%s.%s.%s', zipf(id, 20, 200), floor(256 * chance(id, 21)), floor(256 * chance(id, 22))),
               'agent', (SELECT phrase FROM phrases WHERE phrase_id = zipf(id, 23, 300)),
               'request', md5(id::text)
           ),
           'tags', (SELECT jsonb_agg(word ORDER BY place)
                    FROM generate_series(1, 2 + floor(5 * chance(id, 24))::integer) AS place
                    JOIN words ON word_rank = 100 + zipf(id * 8 + place, 25, 2000))
       ) END
FROM generate_series(1, :documents) AS id;

ALTER TABLE documents ADD PRIMARY KEY (id);
CREATE INDEX documents_created_at ON documents (created_at);
CREATE INDEX documents_author_id ON documents (author_id, created_at);

SELECT format(
    'CREATE TABLE small_%1$s (id integer PRIMARY KEY, code text UNIQUE, amount numeric(12, 2), active boolean, changed_at timestamptz, note text)',
    lpad(number::text, 3, '0'))
FROM generate_series(1, 200) AS number \gexec

SELECT format(
    'INSERT INTO small_%1$s SELECT id, md5(id || ''/%1$s''), (chance(id * 1000 + %2$s, 30) * 10000)::numeric(12, 2), '
    'id %% 7 > 0, timestamptz ''2025-01-01 00:00:00+00'' + id * interval ''11 minutes'', phrase '
    'FROM generate_series(1, %3$s) AS id JOIN phrases ON phrase_id = hashint8extended(id, %2$s) & 262143',
    lpad(number::text, 3, '0'), number, :small_rows)
FROM generate_series(1, 200) AS number \gexec

DROP FUNCTION zipf;
DROP FUNCTION chance;
