-- The statements of this database that may write, as pg_stat_statements has them: constants are $1, $2, ...
SELECT s.query
FROM {statements} s
JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = current_database()
ORDER BY s.calls DESC, s.queryid
LIMIT %(limit)s
