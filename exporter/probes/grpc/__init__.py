"""The standard health check of gRPC servers."""
