"""Decisions: pure functions from a frozen view to proposals."""
