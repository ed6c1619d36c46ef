"""The clock of a real device. A simulated one passes its own."""

from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)  # noqa: TID251 (a device in the field lives on wall time)
