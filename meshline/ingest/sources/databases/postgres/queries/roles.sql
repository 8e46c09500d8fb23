-- Roles, and the roles whose rights each of them has without SET ROLE.
SELECT
    r.oid::int8,
    r.rolname::text,
    r.rolcanlogin,
    r.rolsuper,
    r.rolbypassrls,
    ARRAY(SELECT m.roleid::int8 FROM pg_auth_members m WHERE m.member = r.oid AND {inherits} ORDER BY 1)
FROM pg_roles r
ORDER BY r.rolname
