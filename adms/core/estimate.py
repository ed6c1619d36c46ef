"""The estimator's picture of the feeder, or why there is none."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

import numpy as np
import numpy.typing as npt

from adms.core.ids import ElementId, ModelVersion, SnapshotId
from adms.core.positions import PositionVerdict, Standing
from adms.core.telemetry import FloatArray, IntArray, PointKey

ComplexArray = npt.NDArray[np.complex128]
BoolArray = npt.NDArray[np.bool_]


class Grade(IntEnum):
    """How far a picture can be trusted. A consumer refuses one below the grade that it needs."""

    FAILED = 0
    INCONSISTENT = 1
    """Solved, and contradicted by its own inputs, or resting on hardly any: nothing automatic acts on it."""
    PARTIAL = 2
    """Fits its inputs, with local gaps: nodes that are unobservable or poorly known, positions that are unknown."""
    SOLVED = 3

    @property
    def trusted(self) -> bool:
        """True where automation may act on the picture (X1) and a round counts as good (X6)."""
        return self >= Grade.PARTIAL


class SigmaSource(IntEnum):
    """What a node's voltage rests on."""

    MEASURED = 1
    """A voltage meter at the node was used."""
    ESTIMATED = 2
    """Telemetry alone determines it."""
    PSEUDO = 3
    """Telemetry and pseudo-measurements together hold it."""
    UNOBSERVABLE = 4
    """Nothing holds it."""
    DEAD = 5
    """No source: the voltage is zero because the switches say so."""


class Use(StrEnum):
    """What the estimator did with a measurement."""

    USED = "used"
    REJECTED = "rejected"
    """Bad data."""
    NOT_USED = "not_used"
    """Stale, missing, flagged, or at a dead node."""


@dataclass(frozen=True, kw_only=True)
class Innovations:
    """What each telemetered measurement said against the estimate. Columns run over `keys`.

    `normalized` is `residual` over `residual_sigma`. Of a point in use, both are of the estimate that it is part of. Of
    one that is not (rejected, in quarantine, against the switches), they are of what the others say, their errors
    included; of a rejected point as of when it was rejected: of several, the first was held against the rest of them.
    """

    keys: tuple[PointKey, ...]
    residual: FloatArray
    """Measured less estimated, SI unit of the point; NaN where nothing was measured or is estimated."""
    residual_sigma: FloatArray
    """Standard deviation of the residual, same unit; NaN as the residual."""
    normalized: FloatArray
    """Residual over its standard deviation; NaN as the residual, and where critical."""
    critical: BoolArray
    """True where a point is used and nothing else checks it: its residual is zero whatever it says."""
    use: tuple[Use, ...]
    why: tuple[str, ...]
    """Why a point is not used; empty where it is."""


def nothing_measured() -> Innovations:
    """Innovations of no point at all."""
    none = np.zeros(0)
    return Innovations(
        keys=(), residual=none, residual_sigma=none, normalized=none, critical=none.astype(np.bool_), use=(), why=()
    )


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Complex node voltages with a verdict. Node columns follow `NetworkArrays.nodes`, injector columns
    `NetworkArrays.injectors` (both of `model_version`)."""

    snapshot_id: SnapshotId
    model_version: ModelVersion
    time: datetime
    grade: Grade
    reason: str
    """Why the grade is not SOLVED; empty otherwise."""
    topology_version: str
    """Digest of the switch positions that the picture rests on."""
    v_phasor_pu: ComplexArray
    """[node] per unit of the node's base; 0 where dead, NaN where unobservable."""
    sigma_v_pu: FloatArray
    """[node] standard deviation of the magnitude."""
    sigma_source: IntArray
    """[node] `SigmaSource`."""
    s_injection_va: ComplexArray
    """[injector] estimated power injected into the network at the present voltage, VA; NaN beside nodes
    that are unobservable."""
    s_source_va: ComplexArray
    """[source] three-phase power delivered into the network by each source, VA."""
    losses_w: float
    innovations: Innovations
    chi2: float
    degrees_of_freedom: int
    iterations: int
    oldest_input_s: float
    positions: tuple[PositionVerdict, ...] = ()
    """What the readings say of the reported positions; none where nobody asks, or not yet."""

    @property
    def wrong_positions(self) -> frozenset[ElementId]:
        """Branches of devices that are named as not being where they are reported."""
        return frozenset(e for each in self.positions if each.standing is Standing.WRONG for e in each.poles)


@dataclass(frozen=True, kw_only=True)
class NotEstimated:
    """No picture this round, and why."""

    snapshot_id: SnapshotId
    time: datetime
    reason: str
