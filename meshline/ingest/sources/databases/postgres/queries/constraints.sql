-- Keys and checks, with the names of their columns in the order of the key.
SELECT
    c.conrelid::int8,
    c.conname::text,
    c.contype::text,
    ARRAY(
        SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place
    ),
    CASE WHEN c.contype IN ('c', 'x') THEN pg_get_constraintdef(c.oid) END,
    c.confrelid::int8,
    ARRAY(
        SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number ORDER BY k.place
    )
FROM pg_constraint c
WHERE c.conrelid = ANY (%(tables)s::oid[]) AND c.contype IN ('p', 'u', 'f', 'c', 'x')
ORDER BY c.conrelid, c.conname
