"""Reported positions under test in the running service, and what a wrong one does to the picture.

A switch that is named wrong makes the picture INCONSISTENT: it is not known what is connected to what, so nothing
automatic acts. A tap that is named wrong leaves a picture that its own meters hold, with a device in it that nobody may
move: PARTIAL. While one is named, meters are held in quarantine only where they were there before: what is rejected
may be right.
"""

from dataclasses import replace

from adms.core.estimate import Estimate, Grade
from adms.core.positions import PositionVerdict, Standing
from adms.core.telemetry import TelemetrySnapshot
from adms.estimation import EstimationPolicy, EstimatorState, LoadPrior
from adms.estimation.hypotheses import in_turns
from adms.estimation.hypotheses_belief import PositionBelief
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.estimation.quarantine import Quarantine
from adms.grid.arrays import NetworkArrays
from adms.grid.reported import ReportedGrid

_NAMED = 3


def with_positions(
    belief: PositionBelief | None,
    picture: Estimate,
    *,
    snapshot: TelemetrySnapshot,
    arrays: NetworkArrays,
    positions: ReportedGrid,
    prior: LoadPrior,
    estimation: EstimationPolicy,
    hypotheses: HypothesisPolicy,
    estimator: EstimatorState,
) -> tuple[PositionBelief | None, Estimate, EstimatorState]:
    """One scan more.

    Args:
        belief: of the last scan, or None.
        picture: of this scan.
        snapshot: the telemetry that it is of.
        arrays: the network in solver order.
        positions: as reported.
        prior: what is believed about the injectors.
        estimation: policy of the picture.
        hypotheses: when a position is called wrong, and how much work a scan may be.
        estimator: state that this scan left.

    Returns:
        (belief for the next scan, the picture with verdicts and the grade that they leave it, the estimator's state for
        the next scan).
    """
    after, verdicts = in_turns(
        belief,
        snapshot=snapshot,
        arrays=arrays,
        grid=positions.grid,
        unknown=positions.unknown,
        prior=prior,
        policy=estimation,
        hypotheses=hypotheses,
        estimator=estimator,
        troubled=not picture.grade.trusted,
    )
    wrong = [each for each in verdicts if each.standing is Standing.WRONG]
    if not wrong:
        return after, replace(picture, positions=verdicts), estimator
    worst = Grade.INCONSISTENT if any(each.switch_named for each in wrong) else Grade.PARTIAL
    reasons = [in_words(wrong), *([picture.reason] if picture.reason else [])]
    aside = frozenset() if after is None else after.set_aside
    records = {key: record for key, record in estimator.quarantine.records.items() if key in aside}
    return (
        after,
        replace(picture, positions=verdicts, grade=min(picture.grade, worst), reason="; ".join(reasons)),
        replace(estimator, quarantine=Quarantine(records=records)),
    )


def in_words(wrong: list[PositionVerdict]) -> str:
    """Which positions are wrong, as a reason of a grade. Devices that are named together are told once."""
    told: dict[tuple[str, ...], str] = {}
    for each in sorted(wrong, key=lambda each: -each.log_odds):
        told.setdefault(each.instead, each.in_words)
    words = list(told.values())
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return f"position wrong: {', '.join(words[:_NAMED])}{more}"
