-- What every cluster of a lab has before its first start. Run by mariadb-install-db, where the grant tables are not
-- loaded yet. `root` comes in by the unix socket only.
FLUSH PRIVILEGES;
DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost';
CREATE DATABASE app;
CREATE USER app@'%' IDENTIFIED BY 'app';
GRANT ALL ON app.* TO app@'%';
CREATE USER capitana@'%' IDENTIFIED BY 'capitana';
GRANT PROCESS, BINLOG MONITOR, REPLICA MONITOR ON *.* TO capitana@'%';
GRANT CREATE, SELECT, INSERT, UPDATE ON capitana.* TO capitana@'%';
FLUSH PRIVILEGES;
