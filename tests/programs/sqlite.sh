#!/bin/bash
# packages: sqlite3
# limit: 60
# quick
#
# 200,000 rows, indexes, updates, a sort, a vacuum; the database is sound and
# gives the same answers as one that was made without the library.
. "$(dirname "$0")/../lib.sh"
begin

cat >script.sql <<'SQL'
PRAGMA journal_mode = MEMORY;
PRAGMA cache_size = -20000;
CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, body BLOB, n INTEGER);
INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c
	WHERE i < 200000)
	SELECT i, printf('name %08x', i * 2654435761 % 4294967296),
	zeroblob(i % 97), i * 7919 % 10007 FROM c;
CREATE INDEX by_name ON t (name);
CREATE INDEX by_n ON t (n, id);
UPDATE t SET name = upper(name) || id WHERE n % 3 = 0;
DELETE FROM t WHERE n % 10 = 4;
VACUUM;
PRAGMA integrity_check;
SELECT count(*), sum(n), sum(length(body)), min(name), max(name) FROM t;
SELECT length(group_concat(name, ',')) FROM
	(SELECT name FROM t ORDER BY n, name);
SELECT n, count(*), max(name) FROM t GROUP BY n ORDER BY 2 DESC, 1 LIMIT 5;
SELECT sum(json_array_length(j)) FROM
	(SELECT json_group_array(name) AS j FROM t GROUP BY n);
SQL

must plain sqlite3 plain.db ".read script.sql"
must_under seen sqlite3 seen.db ".read script.sql"
grep -q '^ok$' log/seen || fail "integrity_check: $(sed -n 2p log/seen)"
cmp -s log/plain log/seen || fail "the answers differ"
cmp -s plain.db seen.db || fail "the files differ"
must check sqlite3 seen.db 'PRAGMA integrity_check'
[ "$(cat log/check)" = ok ] || fail "integrity_check: $(head -n 1 log/check)"
ok "$(sqlite3 seen.db 'select count(*) from t') rows, sound, equal to the byte"
