"""The sums of one hour of a day, and its line in the table."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from adms.core.estimate import Estimate
from adms.core.telemetry import FloatArray, IntArray

HEADINGS = (
    f"{'':16} rms of |V| error, 1e-6 pu                                 | within     | rms of P error of loads, kW "
    "| a scan     tap      scans with            grades      | ms",
    "hour scans none | estimate  sigma /bound | plain*  flow+head*    flow | 1.96s %    max | estimate plain* "
    "forecast profile | iter refac moves silent  alarm (moves)  PARTIAL INCONS | prior  scan  learn",
    "* plain: error of the estimator on class profiles, over the estimate's in the same scans (of loads, as it is); "
    "/bound: over the information matrix's sigma; flow, flow+head: power flow on class profiles, and told head and DER",
)


@dataclass(eq=False)
class Hour:
    """What an hour came to. Errors are of voltage magnitudes, pu."""

    number: int
    scans: int = 0
    refused: int = 0
    iterations: int = 0
    refactored: int = 0
    moves: int = 0
    silent: int = 0
    """Scans with a remote unit silent."""
    alarms: int = 0
    alarms_at_moves: int = 0
    """While a move was not reported yet."""
    grades: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    times: FloatArray = field(default_factory=lambda: np.zeros(3))
    """Seconds spent on the prior, on the scan and on learning."""
    squares: FloatArray = field(default_factory=lambda: np.zeros(10))
    """Sums over scans of the mean over nodes: estimate's error, its sigma, estimate on profiles, flow, flow told; over
    loads, W: error of P of the estimate, of that on profiles, of the forecast, of the profiles; and once more the
    estimate's error, of the scans in which there is one on profiles too."""
    counts: IntArray = field(default_factory=lambda: np.zeros(10, dtype=np.int64))
    covered: int = 0
    judged: int = 0
    largest: float = 0.0
    worst_second: int = 0
    worst_node: int = 0
    worst_sigma: float = 0.0
    bound: list[float] = field(default_factory=list)
    sigma_there: list[float] = field(default_factory=list)

    def _add(self, which: int, values: FloatArray) -> None:
        if np.isfinite(values).all():
            self.squares[which] += float(values @ values) / len(values)
            self.counts[which] += 1

    def of_estimate(self, got: Estimate, *, error: FloatArray, sigma: FloatArray, node: IntArray) -> None:
        """A picture."""
        self.grades[got.grade.name] += 1
        if got.reason:
            self.reasons[got.reason[:90]] += 1
        self.iterations += got.iterations
        self._add(0, error)
        self._add(1, sigma)
        self.covered += int((np.abs(error) <= 1.96 * sigma).sum())
        self.judged += len(error)
        worst = int(np.argmax(np.abs(error)))
        if abs(error[worst]) > self.largest:
            self.largest, self.worst_node = float(abs(error[worst])), int(node[worst])
            self.worst_second, self.worst_sigma = self.scans, float(sigma[worst])

    def of_cold(self, error: FloatArray, *, estimate: FloatArray) -> None:
        """The estimator on class profiles, and the estimate of the same scan."""
        self._add(2, error)
        self._add(9, estimate)

    def of_flows(self, alone: FloatArray, told: FloatArray) -> None:
        """The power flows."""
        self._add(3, alone)
        self._add(4, told)

    def of_loads(self, *errors: FloatArray) -> None:
        """P of single loads: by the estimate, by that on profiles, by the forecast, by the profiles."""
        for which, values in enumerate(errors, start=5):
            self._add(which, values)

    @property
    def rms(self) -> FloatArray:
        """[10] as `squares`."""
        return np.asarray(np.sqrt(self.squares / np.maximum(self.counts, 1)))

    @property
    def coverage(self) -> float:
        """Share of voltages within 1.96 sigma."""
        return self.covered / max(self.judged, 1)

    @property
    def bound_frac(self) -> float:
        """Stated sigma over the information matrix's, rms over the instants at which the referee was asked."""
        return float(np.sqrt(np.mean(np.square(self.sigma_there)) / np.mean(np.square(self.bound))))

    def line(self) -> str:
        """The hour in the table."""
        e, sigma, cold, flow, told = 1e6 * self.rms[:5]
        loads = " ".join(f"{1e-3 * p:7.2f}" for p in self.rms[5:9])
        over = self.bound_frac if self.bound else np.nan
        plain = cold / (1e6 * self.rms[9])
        ms = 1e3 * self.times / max(self.scans, 1)
        return (
            f"{self.number:4d} {self.scans:5d} {self.refused:4d} | {e:8.0f} {sigma:6.0f} {over:7.3f} | {plain:6.3f} "
            f"{told:11.0f} {flow:7.0f} | {100 * self.coverage:7.2f} {1e6 * self.largest:6.0f} | {loads} "
            f"| {self.iterations / max(self.scans, 1):4.1f} {self.refactored:5d} {self.moves:5d} {self.silent:6d} "
            f"{self.alarms:6d} ({self.alarms_at_moves:3d}) {self.grades['PARTIAL']:9d} "
            f"{self.grades['INCONSISTENT']:6d} | {ms[0]:5.2f} {ms[1]:5.2f} {ms[2]:6.3f}"
        )
