"""What the user wrote, made true. `load_plan` and `load_catalog` stand in `exporter.catalog.loading`; nothing is
imported here, since the daemon's process needs only `targets` and `secrets`.
"""
