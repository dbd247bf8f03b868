"""The keys of the catalog: one module per top-level key, named like the key, with its defaults."""
