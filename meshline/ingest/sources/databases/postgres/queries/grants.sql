-- Who was granted SELECT on a table (column null) or on a column of it; role 0 is PUBLIC. A schema is readable with USAGE alone.
SELECT c.oid::int8, NULL::text, g.grantee::int8
FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g
WHERE c.oid = ANY (%(tables)s::oid[]) AND g.privilege_type = 'SELECT'
UNION
SELECT a.attrelid::int8, a.attname::text, g.grantee::int8
FROM pg_attribute a, aclexplode(a.attacl) g
WHERE a.attrelid = ANY (%(tables)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND g.privilege_type = 'SELECT'
ORDER BY 1, 2, 3
