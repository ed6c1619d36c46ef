"""Feeder seconds and the dates that the service knows them by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
"""Feeder second 0."""


def moment(time_s: float) -> datetime:
    """Date of a feeder second."""
    return START + timedelta(seconds=time_s)


def seconds(time: datetime) -> float:
    """Feeder second of a date."""
    return (time - START).total_seconds()
