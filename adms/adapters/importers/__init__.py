"""Importers: other programs' networks as the one documented model."""
