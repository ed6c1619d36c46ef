"""What the telemetry says of the reported positions of switches and tap changers."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from adms.core.ids import ElementId
from adms.core.telemetry import PointKey

_LARGE = 6.0
"""Odds of more digits are written as powers of ten."""
_LARGEST = 300.0
"""More is not told apart."""


class Standing(StrEnum):
    """What the telemetry says of a device's reported position."""

    AS_REPORTED = "as_reported"
    WRONG = "wrong"
    """The odds against it are large; `PositionVerdict.instead` says what is true, or one of what."""
    OPEN = "open"
    """More scans would decide."""
    UNDECIDABLE = "undecidable"
    """The meters could not tell even then."""


@dataclass(frozen=True, kw_only=True)
class Witness:
    """A reading on which a verdict rests."""

    key: PointKey
    reported_sigmas: float
    """How far the reading is off, in its standard deviations, where the positions are as reported,"""
    instead_sigmas: float
    """and where the device is where it is named to be."""


@dataclass(frozen=True, kw_only=True)
class PositionVerdict:
    """Of one device."""

    device: str
    """A switch or tap changer by its id; a device whose poles are branches of their own by its group."""
    poles: tuple[ElementId, ...]
    """The branches that it moves."""
    is_tap: bool
    standing: Standing
    instead: tuple[str, ...]
    """What may be true instead, the most probable first; several where the meters cannot tell them apart."""
    log_odds: float
    """Natural logarithm of the odds of the device's most probable other position against the reported one, priors
    even; NaN where they were not worked out yet."""
    why: str
    switch_named: bool = False
    """Wrong, and a switch is among what may be true instead: then it is not known what is connected to what."""
    witnesses: tuple[Witness, ...] = ()
    """The readings that speak loudest, for a position that is named wrong; the loads have their part besides."""

    @property
    def odds_in_words(self) -> str:
        """Against the position as reported."""
        digits = self.log_odds / float(np.log(10.0))
        if not np.isfinite(digits):
            return "not known"
        if abs(digits) > _LARGE:
            size = f"10^{min(abs(digits), _LARGEST):.0f}"
            return f"{size} to 1" if digits > 0.0 else f"1 to {size}"
        return f"{np.exp(self.log_odds):.3g} to 1" if digits > 0.0 else f"1 to {np.exp(-self.log_odds):.3g}"

    @property
    def in_words(self) -> str:
        """What is wrong, with the odds; empty where nothing is."""
        if self.standing is not Standing.WRONG:
            return ""
        return f"{' or '.join(self.instead)}, not as reported (odds {self.odds_in_words})"
