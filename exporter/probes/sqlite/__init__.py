"""The file of a SQLite database."""
