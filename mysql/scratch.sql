-- The right to verify backups in scratch schemas. MySQL runs this file once, when its data folder is new; in an older
-- installation an administrator of MySQL runs it.
GRANT ALL ON `nowserving\_scratch\_%`.* TO 'nowserving'@'%';
