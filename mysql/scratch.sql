-- The rights to verify backups in scratch schemas, and to see the place of a backup in the binary log. MySQL runs this file once, when its data folder is new; in an older
-- installation an administrator of MySQL runs it.
GRANT ALL ON `nowserving\_scratch\_%`.* TO 'nowserving'@'%';
GRANT REPLICATION CLIENT ON *.* TO 'nowserving'@'%';
