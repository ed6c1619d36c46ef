"""ADMS-lite: a real-time distribution operations service."""
