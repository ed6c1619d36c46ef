"""Operating modes. The effective mode of a device is the minimum of system, feeder and device mode (SW22)."""

from enum import IntEnum


class Mode(IntEnum):
    """What the service may do. Start-up is OBSERVE (X6)."""

    OBSERVE = 1
    """Estimate and show; propose nothing."""
    ADVISE = 2
    """Propose plans; an operator executes them."""
    CONTROL = 3
    """Execute plans inside the invariants."""


def effective_mode(*modes: Mode) -> Mode:
    """Minimum of all modes that apply."""
    return min(modes)
