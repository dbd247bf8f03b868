"""What Compose itself can say: the specification's JSON Schema, and what each of its keys is called in the catalog."""
