"""The edge: gRPC, Redis, Prometheus, files, engines."""
