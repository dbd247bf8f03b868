"""Keys of Compose itself: the specification's JSON Schema, and the name of each key in the catalog."""
