-- The partitions of each partitioned table, at any depth; reltuples is -1 if nothing is known of it.
WITH RECURSIVE parts (root, oid) AS (
    SELECT c.oid, c.oid FROM pg_class c WHERE c.relkind = 'p' AND c.oid = ANY (%(tables)s::oid[])
    UNION ALL
    SELECT p.root, i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid
)
SELECT
    p.root::int8,
    p.oid::int8,
    n.nspname::text,
    c.relname::text,
    CASE WHEN c.relkind <> 'p' THEN c.reltuples::float8 ELSE 0 END,
    c.relpages::int8 * current_setting('block_size')::int8
FROM parts p
JOIN pg_class c ON c.oid = p.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.oid <> p.root
ORDER BY 1, 3, 4
