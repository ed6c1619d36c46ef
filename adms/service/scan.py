"""One scan of the running service: what the forecast expects, the estimate, what it says of the reported positions,
and what it teaches the forecast."""

from dataclasses import dataclass

from adms.core.estimate import Estimate, NotEstimated
from adms.core.telemetry import TelemetrySnapshot
from adms.estimation import EstimationPolicy, EstimatorState, estimate
from adms.estimation.hypotheses_belief import PositionBelief
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.forecast import ForecastPolicy, ForecastState, cold_state, learned, predicted_prior
from adms.grid.arrays import NetworkArrays
from adms.grid.reported import ReportedGrid
from adms.service.positions import with_positions

_UNKNOWN = "a position is not known: what the loads draw is not told from where it flows"


@dataclass(frozen=True, kw_only=True, eq=False)
class ScanState:
    """What one scan leaves for the next. In memory only: a service that starts again begins with class profiles."""

    estimator: EstimatorState | None
    """None before the first picture."""
    forecast: ForecastState
    """Kept through failures of the estimate."""
    positions: PositionBelief | None = None
    """What the scans so far say of the reported positions; kept through failures of the estimate."""


class Scan:
    """The estimator's stage (`adms.runtime.stages.Estimator`), bound to a network and its policies."""

    def __init__(
        self,
        arrays: NetworkArrays,
        *,
        estimation: EstimationPolicy,
        forecast: ForecastPolicy,
        hypotheses: HypothesisPolicy | None = None,
    ) -> None:
        """Without hypotheses, reported positions are taken as true. Raises InputError with everything that is wrong
        with the forecast's policy."""
        self._arrays = arrays
        self._policy = estimation
        self._hypotheses = hypotheses
        self._cold = ScanState(estimator=None, forecast=cold_state(arrays, policy=forecast, estimation=estimation))

    def __call__(
        self, snapshot: TelemetrySnapshot, *, positions: ReportedGrid, state: ScanState | None
    ) -> tuple[ScanState, Estimate | NotEstimated]:
        """The state to be and the picture.

        Args:
            snapshot: the telemetry of one instant.
            positions: of switches, taps and capacitors then.
            state: of the last scan; None for the first.
        """
        before = self._cold if state is None else state
        now = snapshot.cut_time
        prior = predicted_prior(before.forecast, arrays=self._arrays, now=now, policy=self._policy, snapshot=snapshot)
        estimator, picture = estimate(
            snapshot,
            arrays=self._arrays,
            grid=positions.grid,
            unknown=positions.unknown,
            prior=prior,
            policy=self._policy,
            state=before.estimator,
        )
        belief = before.positions
        if self._hypotheses is not None and isinstance(picture, Estimate) and estimator is not None:
            belief, picture, estimator = with_positions(
                belief,
                picture,
                snapshot=snapshot,
                arrays=self._arrays,
                positions=positions,
                prior=prior,
                estimation=self._policy,
                hypotheses=self._hypotheses,
                estimator=estimator,
            )
        lesson: Estimate | NotEstimated = picture
        if positions.unknown:
            lesson = NotEstimated(snapshot_id=snapshot.snapshot_id, time=now, reason=_UNKNOWN)
        forecast = learned(
            before.forecast, estimate=lesson, snapshot=snapshot, arrays=self._arrays, grid=positions.grid, now=now
        )
        return ScanState(estimator=estimator, forecast=forecast, positions=belief), picture
