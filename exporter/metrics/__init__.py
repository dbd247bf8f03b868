"""Every metric family in one table, and the text that a scrape joins."""
