"""Metric families and the text of a scrape."""
