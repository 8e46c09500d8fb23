-- The statements of this database, as pg_stat_statements has them: constants are $1, $2, ...; by role how often each ran.
SELECT min(s.query), coalesce(r.rolname::text, ''), concat(s.queryid, ':', s.userid), sum(s.calls)::bigint
FROM {statements} s
JOIN pg_database d ON d.oid = s.dbid
LEFT JOIN pg_roles r ON r.oid = s.userid
WHERE d.datname = current_database()
GROUP BY s.queryid, s.userid, r.rolname
ORDER BY sum(s.calls) DESC, s.queryid, s.userid
LIMIT %(limit)s
