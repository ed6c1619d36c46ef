"""Single gross errors: which can be told apart at all, and how often the right meter is named."""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import BoolArray
from tests.estimation_study.referee import State
from tests.estimation_study.statistics import Estimator
from tests.estimation_study.studies import Study

ERROR_SIGMAS = 10.0
LEAST_SENSITIVITY = 0.4
"""Share of an error of a meter that shows in its own residual."""
LARGEST_CORRELATION = 0.9
"""With the residual of any other meter: above, the two are one suspect."""
_CRITICAL = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Redundancy:
    """What the residual covariance says of each point, at the expected state."""

    sensitivity: FloatArray
    """[point] diagonal of the residual covariance in sigmas, 0..1."""
    correlation: FloatArray
    """[point] largest with another point's residual; 1 where a point is critical."""

    @property
    def testable(self) -> IntArray:
        """Points whose errors an estimator is asked to name."""
        return np.flatnonzero((self.sensitivity >= LEAST_SENSITIVITY) & (self.correlation < LARGEST_CORRELATION))


def redundancy(study: Study) -> Redundancy:
    """Of a study's plan, by the referee."""
    referee = study.referee
    state = State(v=study.expected_v_pu[referee.live], x=np.zeros(len(referee.inputs.weight)))
    covariance = referee.saddle(state).residual_covariance()
    sensitivity = np.diag(covariance).copy()
    free = sensitivity > _CRITICAL
    size = np.sqrt(np.where(free, sensitivity, 1.0))
    correlation = np.abs(covariance) / np.outer(size, size)
    np.fill_diagonal(correlation, 0.0)
    correlation[:, ~free] = 0.0
    return Redundancy(sensitivity=sensitivity, correlation=np.where(free, correlation.max(axis=1), 1.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Naming:
    """What was said of scans with one gross error each."""

    name: str
    candidates: int
    points: int
    bad: IntArray
    """[draw] the point that was wrong."""
    named: BoolArray
    """[draw] it was rejected, and nothing else."""
    missed: BoolArray
    """[draw] nothing was rejected."""
    largest: BoolArray
    """[draw] its normalised residual was the largest before any rejection, where the estimator keeps that."""

    @property
    def named_frac(self) -> float:
        """Of all draws."""
        return float(self.named.mean())

    def lines(self) -> list[str]:
        """The table of one feeder."""
        wrong = ~self.named & ~self.missed
        return [
            f"{self.name}: {len(self.bad)} errors of {ERROR_SIGMAS:.0f} sigma, at {self.candidates} of {self.points} "
            "points",
            f"  named {100 * self.named_frac:.2f} %, missed {100 * self.missed.mean():.2f} %, "
            f"another or more {100 * wrong.mean():.2f} %",
        ]


def naming(study: Study, estimator: Estimator, *, draws: int, seed: int) -> Naming:
    """One wrong meter in each scan, in turn over the testable points, up or down by chance.

    Args:
        study: the feeder.
        estimator: warm, made for this study.
        draws: how many.
        seed: of the draws.
    """
    candidates = redundancy(study).testable
    rng = np.random.default_rng([seed, 3])
    bad, named, missed, largest = [], [], [], []
    chunk = 50
    for first in range(0, draws, chunk):
        count = min(chunk, draws - first)
        _, values = study.drawn(seed=seed, first=first, count=count)
        for i in range(count):
            at = int(candidates[(first + i) % len(candidates)])
            value = values[:, i].copy()
            value[at] += ERROR_SIGMAS * study.plan.sigma[at] * rng.choice((-1.0, 1.0))
            got = estimator(value)
            bad.append(at)
            named.append(got.rejected == (at,))
            missed.append(not got.rejected)
            largest.append(int(np.nanargmax(np.abs(got.normalized))) == at)
    return Naming(
        name=study.name,
        candidates=len(candidates),
        points=len(study.plan.keys),
        bad=np.array(bad, dtype=np.int64),
        named=np.array(named, dtype=np.bool_),
        missed=np.array(missed, dtype=np.bool_),
        largest=np.array(largest, dtype=np.bool_),
    )
