"""Symmetrical components of three phasors (Fortescue)."""

from __future__ import annotations

from cmath import exp, pi
from collections.abc import Sequence

_A = exp(2j * pi / 3)


def positive_sequence(v: Sequence[complex]) -> complex:
    """Of phases 1, 2, 3, each lagging the one before; referred to phase 1."""
    return (v[0] + _A * v[1] + _A**2 * v[2]) / 3.0


def unbalance_frac(v: Sequence[complex]) -> float:
    """The larger of negative and zero sequence over the positive one; infinite without one, NaN where a phasor is."""
    positive = abs(positive_sequence(v))
    negative = abs((v[0] + _A**2 * v[1] + _A * v[2]) / 3.0)
    zero = abs((v[0] + v[1] + v[2]) / 3.0)
    return max(negative, zero) / positive if positive != 0.0 else float("inf")
