"""What every kind of measurement comes down to.

A row measures a function of the phasors w = (V, E) and of the powers S of the injectors:

    SIZE      |i|                        i = sum over terms of y w
    ANGLE     arg i
    ACTIVE    Re s                       s = sum over terms of V_at conj(y w)  +  sum over inputs of S
    REACTIVE  Im s

A phase-to-ground voltage is SIZE with y = 1, a current the same with the entries of a branch's primitive admittance.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from adms.core.telemetry import PointTable
from adms.grid.arrays import NetworkArrays


class Form(IntEnum):
    """How a row's number is made."""

    SIZE = 0
    ANGLE = 1
    ACTIVE = 2
    REACTIVE = 3


@dataclass(frozen=True, kw_only=True)
class Term:
    """y times a phasor."""

    column: int
    """Node index; from `node_count` on, open-circuit voltages in the order of the sources' nodes."""
    y: complex = 0j
    """Per unit, where it is the same in every state."""
    branch: int = -1
    """Otherwise the branch whose primitive it is taken from, at `entry`."""
    entry: tuple[int, int] = (0, 0)
    at: int = -1
    """Node index of the voltage that a power is taken with."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement."""

    table_row: int
    """In the telemetry's table."""
    form: Form
    si_per_unit: float
    terms: tuple[Term, ...] = ()
    inputs: tuple[int, ...] = field(default=())
    """Injector indices."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Metering:
    """What the kinds are asked about."""

    arrays: NetworkArrays
    table: PointTable
