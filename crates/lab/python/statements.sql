-- The statements that every driver of the scenario `drivers` sends as they are, over the text protocol.
-- There is no database `drivers` before. Each ends with $$ at the end of a line, so that those of a procedure can hold semicolons.
CREATE DATABASE drivers CHARACTER SET utf8mb4 COLLATE utf8mb4_bin$$
USE drivers$$
SET SESSION time_zone = '+00:00', SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'$$
SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client, @@sql_mode$$
CREATE TABLE kinds (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, tiny TINYINT, big BIGINT UNSIGNED, exact DECIMAL(30,10),
 small FLOAT, wide DOUBLE, day DATE, moment DATETIME(6), stamp TIMESTAMP(3) NULL, span TIME(6), year YEAR, flag BIT(10),
 fixed CHAR(8), text VARCHAR(200), raw VARBINARY(300), large LONGTEXT, object BLOB, document JSON,
 choice ENUM('red','green','blue'), several SET('a','b','c'), place POINT) ENGINE=InnoDB$$
INSERT INTO kinds (tiny, big, exact, small, wide, day, moment, stamp, span, year, flag, fixed, text, raw, large, object,
 document, choice, several, place) VALUES
 (-128, 18446744073709551615, 12345678901234567890.0123456789, 1.5, 2.2250738585072014e-308, '2026-11-21',
 '2026-11-21 23:59:59.999999', '2026-11-21 12:00:00.123', '-838:59:58.999999', 2026, b'1010101010', 'fixed', 'naïve 字 🜚',
 x'00ff27225c0a0d1a', 'many\nlines\tand ''quotes''', x'0001fefdfcfb', '{"a": [1, null, "ü"]}', 'green', 'a,c', POINT(1, 2)),
 (127, 0, -0.0000000001, -0.25, 1e300, '1000-01-01', '1000-01-01 00:00:00', NULL, '00:00:00', 1901, b'0', '', '', '', '',
 '', '[]', 'red', '', NULL),
 (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)$$
SELECT * FROM kinds ORDER BY id$$
SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()$$
UPDATE kinds SET tiny = 1 WHERE id >= 2$$
UPDATE kinds SET tiny = 1 WHERE id >= 2$$
SELECT NULL, '', 0 AS `a column named ``so```, -1.50 AS negative, REPEAT('x', 300) AS three_hundred LIMIT 1$$
SELECT 1 FROM kinds WHERE FALSE$$
SELECT seq, SHA1(seq) AS digest, REPEAT(CHAR(65 + seq % 26), seq % 977) AS filler FROM seq_1_to_5000$$
SET SESSION sql_mode = ''$$
INSERT INTO kinds (tiny, fixed) VALUES (1000, 'far too long'), ('not a number', NULL)$$
SHOW WARNINGS$$
SELECT 1/0, CAST('12 monkeys' AS INT)$$
SHOW WARNINGS$$
SET SESSION sql_mode = 'STRICT_TRANS_TABLES'$$
SELEC 1$$
SELECT * FROM missing$$
INSERT INTO kinds (id) VALUES (1)$$
INSERT INTO kinds (tiny) VALUES (1000)$$
SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 30001, MESSAGE_TEXT = 'said by the client: ü'$$
CREATE PROCEDURE two_results(IN first INT, OUT last INT) BEGIN SELECT first AS one; SELECT first + 1 AS two, 'x' AS x; SET last = 7; END$$
CALL two_results(41, @last)$$
SELECT @last$$
SET @user_variable = 'kept for the session'$$
SELECT @user_variable$$
CREATE TEMPORARY TABLE only_here AS SELECT 1 AS one$$
SELECT * FROM only_here$$
CREATE TABLE account (id INT PRIMARY KEY, amount INT NOT NULL) ENGINE=InnoDB$$
START TRANSACTION$$
INSERT INTO account VALUES (1, 100), (2, 0)$$
SAVEPOINT half$$
UPDATE account SET amount = amount - 60 WHERE id = 1$$
ROLLBACK TO SAVEPOINT half$$
UPDATE account SET amount = amount - 40 WHERE id = 1$$
UPDATE account SET amount = amount + 40 WHERE id = 2$$
SELECT *, @@in_transaction FROM account ORDER BY id$$
COMMIT$$
START TRANSACTION READ ONLY$$
UPDATE account SET amount = 0$$
ROLLBACK$$
SET autocommit = 0$$
DELETE FROM account$$
SELECT COUNT(*), @@in_transaction FROM account$$
ROLLBACK$$
SET autocommit = 1$$
SELECT * FROM account ORDER BY id$$
XA START 'branch'$$
XA END 'branch'$$
XA ROLLBACK 'branch'$$
PREPARE by_name FROM 'SELECT ? AS number, ? AS text, amount FROM account WHERE id = ?'$$
EXECUTE by_name USING 1, 'ü', 2$$
SET @n = 3, @t = NULL$$
EXECUTE by_name USING @n, @t, @n$$
DEALLOCATE PREPARE by_name$$
EXECUTE by_name$$
LOCK TABLES account WRITE$$
SELECT * FROM kinds$$
UNLOCK TABLES$$
SELECT GET_LOCK('drivers', 1), RELEASE_LOCK('drivers'), RELEASE_LOCK('not held')$$
EXPLAIN SELECT * FROM account WHERE id = 1$$
SHOW CREATE TABLE account$$
DO 1$$
