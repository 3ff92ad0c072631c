-- @ROWS@ rows in memory; the first answer is their number.
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, city INT, body BLOB);
CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE bill (id INTEGER PRIMARY KEY, person INT, cents INT, note TEXT);
INSERT INTO city WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1
	FROM c WHERE i < 997)
	SELECT i, printf('city %05x', i * 40503 % 65521) || i FROM c;
INSERT INTO person WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1
	FROM c WHERE i < @ROWS@)
	SELECT i, printf('name %08x', i * 2654435761 % 4294967296),
	i * 31 % 997 + 1, zeroblob(i % 211) FROM c;
CREATE INDEX person_by_name ON person (name);
CREATE INDEX person_by_city ON person (city, name);
INSERT INTO bill SELECT id, id * 7919 % @ROWS@ + 1, id * 104729 % 99991,
	'bill of ' || name FROM person;
CREATE INDEX bill_by_person ON bill (person, cents);
SELECT count(*) FROM bill JOIN person ON person.id = bill.person;
UPDATE bill SET note = upper(note) || cents WHERE cents % 3 = 0;
DELETE FROM bill WHERE cents % 10 = 4;
SELECT city.name, count(*), sum(cents) FROM bill
	JOIN person ON person.id = bill.person
	JOIN city ON city.id = person.city
	GROUP BY city.id ORDER BY 3 DESC LIMIT 5;
SELECT sum(json_array_length(j)), sum(length(j)) FROM
	(SELECT json_group_array(json_object('n', name, 'c', city)) AS j
	FROM person GROUP BY city);
SELECT length(group_concat(note, ';')) FROM
	(SELECT note FROM bill ORDER BY note DESC);
SELECT count(DISTINCT substr(name, 6, 5)) FROM person;
VACUUM;
PRAGMA integrity_check;
