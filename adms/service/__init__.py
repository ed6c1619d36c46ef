"""Composition: configuration, wiring and the process of the control service."""
