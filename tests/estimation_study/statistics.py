"""Whether an estimator's sigmas and residuals mean what they say, over draws from its own beliefs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adms.core.estimate import Grade, Use
from adms.core.telemetry import FloatArray
from adms.estimation import EstimatorState
from adms.grid.arrays import BoolArray
from tests.estimation_study.studies import Study

_CHUNK = 50
_LEAST_V_PU = 0.1
"""Neutral conductors have no magnitude worth a sigma."""
COVERED = 1.96


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What an estimator said of one scan."""

    v_pu: FloatArray
    """[node] magnitudes; NaN where it gives none."""
    sigma_v_pu: FloatArray
    """[node]"""
    normalized: FloatArray
    """[point] of the plan; NaN where not used or critical."""
    rejected: tuple[int, ...]
    """Points."""
    alarm: bool
    """Something was rejected, or the picture called inconsistent."""
    chi2: float


Estimator = Callable[[FloatArray], Outcome]
"""From readings [point], SI, scan after scan."""


def product(study: Study) -> Estimator:
    """`adms.estimation`, warm from scan to scan."""
    state: EstimatorState | None = None
    row = study.plan.table.row

    def run(value: FloatArray) -> Outcome:
        nonlocal state
        state, got = study.scan(value, state=state)
        said = got.innovations
        at = [row[key] for key in said.keys]
        normalized = np.full(len(value), np.nan)
        normalized[at] = said.normalized
        rejected = tuple(i for i, use in zip(at, said.use, strict=True) if use is Use.REJECTED)
        return Outcome(
            v_pu=np.abs(got.v_phasor_pu),
            sigma_v_pu=got.sigma_v_pu,
            normalized=normalized,
            rejected=rejected,
            alarm=bool(rejected) or got.grade <= Grade.INCONSISTENT,
            chi2=got.chi2,
        )

    return run


def _nodes(study: Study) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.flatnonzero(np.abs(study.expected_v_pu) > _LEAST_V_PU)


@dataclass(frozen=True, kw_only=True, eq=False)
class Honesty:
    """Second moments over many draws."""

    name: str
    points: tuple[str, ...]
    error_pu: FloatArray
    """[draw, node] of the magnitudes, estimated less true; NaN where none was given."""
    sigma_pu: FloatArray
    """[draw, node]"""
    normalized: FloatArray
    """[draw, point]"""
    alarm: BoolArray
    """[draw]"""
    chi2_per_point: FloatArray
    """[draw]"""
    bound_pu: FloatArray
    """[some draws, node] what the information matrix at the optimum allows."""
    bounded: tuple[int, ...]
    """Those draws."""

    @property
    def used(self) -> BoolArray:
        """[point] neither critical nor left out in any scan without an alarm."""
        return np.asarray(np.isfinite(self.normalized[~self.alarm]).all(axis=0))

    @property
    def channel_variance(self) -> FloatArray:
        """[used point] of the normalised innovations, about zero."""
        return np.asarray(np.nanmean(self.normalized[:, self.used] ** 2, axis=0))

    @property
    def pooled_variance(self) -> float:
        """Over draws and non-critical points."""
        return float(np.nanmean(self.normalized[:, self.used] ** 2))

    @property
    def coverage(self) -> float:
        """How often the true magnitude is within 1.96 sigma, pooled over nodes and draws."""
        known = np.isfinite(self.error_pu)
        return float((np.abs(self.error_pu[known]) <= COVERED * self.sigma_pu[known]).mean())

    @property
    def mean_sigma_pu(self) -> float:
        """Over nodes and draws."""
        return float(np.nanmean(self.sigma_pu))

    @property
    def sigma_over_bound(self) -> float:
        """Mean sigma over the mean of the bound, on the draws for which that was computed."""
        return float(np.nanmean(self.sigma_pu[list(self.bounded)]) / np.nanmean(self.bound_pu))

    @property
    def rms_over_predicted(self) -> float:
        """rms error over rms sigma."""
        return float(np.sqrt(np.nanmean(self.error_pu**2) / np.nanmean(self.sigma_pu**2)))

    @property
    def alarm_frac(self) -> float:
        """Of clean scans."""
        return float(self.alarm.mean())

    def lines(self) -> list[str]:
        """The table of one feeder."""
        variance = self.channel_variance
        order = np.argsort(variance)
        names = [point for point, used in zip(self.points, self.used, strict=True) if used]
        ends = ", ".join(f"{variance[i]:.3f} {names[i]}" for i in (order[0], order[-1])) if names else "none"
        return [
            f"{self.name}: {len(self.alarm)} draws, {len(self.points)} points, {len(names)} not critical",
            f"  variance of normalised innovations, pooled {self.pooled_variance:.3f}; channels from and to {ends}",
            f"  within 1.96 sigma {100 * self.coverage:.2f} %, mean sigma {self.mean_sigma_pu:.2e} pu, "
            f"{self.sigma_over_bound:.3f} of the information matrix's {np.nanmean(self.bound_pu):.2e}",
            f"  rms error over predicted {self.rms_over_predicted:.3f}, chi-squared per point "
            f"{self.chi2_per_point.mean():.3f}, alarms on {100 * self.alarm_frac:.2f} % of scans",
        ]


def honesty(study: Study, estimator: Estimator, *, draws: int, seed: int, bounds: int = 20) -> Honesty:
    """Run clean scans of truths drawn from the study's beliefs.

    Args:
        study: the feeder.
        estimator: warm, made for this study.
        draws: how many.
        seed: of the draws.
        bounds: on how many of them the information matrix is inverted by the referee.
    """
    nodes = _nodes(study)
    bounded = tuple(range(0, draws, max(1, draws // bounds)))
    error, sigma, normalized, alarm, chi2, bound = [], [], [], [], [], []
    for first in range(0, draws, _CHUNK):
        count = min(_CHUNK, draws - first)
        states, values = study.drawn(seed=seed, first=first, count=count)
        for i in range(count):
            got = estimator(values[:, i])
            error.append((got.v_pu - np.abs(states.v_phasor_pu[:, i]))[nodes])
            sigma.append(np.where(np.isfinite(got.v_pu), got.sigma_v_pu, np.nan)[nodes])
            normalized.append(got.normalized)
            alarm.append(got.alarm)
            chi2.append(got.chi2 / len(got.normalized))
            if first + i in bounded:
                best = study.referee.solve(values[:, i], v_start_pu=study.expected_v_pu)
                bound.append(study.referee.sigma_v_pu(best.state, nodes=nodes))
    return Honesty(
        name=study.name,
        points=tuple(f"{k.kind.value} {k.element}.{k.phase}" for k in study.plan.keys),
        error_pu=np.array(error),
        sigma_pu=np.array(sigma),
        normalized=np.array(normalized),
        alarm=np.array(alarm, dtype=np.bool_),
        chi2_per_point=np.array(chi2),
        bound_pu=np.array(bound),
        bounded=bounded,
    )
