"""Gateways: clients of the gRPC API that carry field telemetry and commands."""
