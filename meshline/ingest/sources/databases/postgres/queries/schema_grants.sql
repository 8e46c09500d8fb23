SELECT n.nspname::text, g.grantee::int8
FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) g
WHERE g.privilege_type = 'USAGE'
ORDER BY 1, 2
