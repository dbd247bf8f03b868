"""A login to MySQL or MariaDB and queries about its state."""
