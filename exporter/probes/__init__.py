"""One file a protocol; compiled once at load, cheap to run."""
