"""A login to MySQL or MariaDB and questions about its state."""
