"""Types of the values of keys, parsed once into typed values."""
