-- The tables that the rule of a view refers to.
SELECT DISTINCT r.ev_class::int8, d.refobjid::int8
FROM pg_rewrite r
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
WHERE r.ev_class = ANY (%(tables)s::oid[]) AND d.refobjid <> r.ev_class
ORDER BY 1, 2
