"""Protocols between the runtime and the edge. No code."""
