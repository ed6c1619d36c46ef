"""The gRPC API: servicers that convert and call the ports, and nothing else."""
