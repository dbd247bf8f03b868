"""Parses and validates the catalog. `load_plan` and `load_catalog` are in `exporter.catalog.loading`.

Nothing is imported here: the daemon's process needs only plain values, and never loads the models.
"""
