"""Types of values that keys are made of, parsed once into typed values."""
