"""Positions that are not what is reported: a switch that opened unseen, a tap one step off.

What names them is a small function, so that the same draws serve the product, and here the referee: it compares the
evidence of the hypotheses, with h = 0 where a hypothesis says dead,

    log p(z | grid) = -chi2 / 2 + log det(Omega) / 2 + constant,   Omega the residual covariance in sigmas,

(Laplace's approximation: Omega^-1 is the covariance of the readings in sigmas before they are seen).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.grid.state import GridState
from tests.estimation_study.draws import flows_of, noise, normals
from tests.estimation_study.meter_functions import MeterFunctions
from tests.estimation_study.referee import Referee, State
from tests.estimation_study.studies import Study

LEAST_FLOW_SIGMAS = 5.0
_TOLERANCE_PU = 1e-5
_STEPS = 15
"""Enough for odds; a hypothesis that is far off may have no optimum worth finding."""
SCANS = 60

NameSwitch = Callable[[FloatArray], str | None]
"""Readings [point] of one scan, with the switches reported as in the study: which one is wrong, or None; several with
`OR` between where they cannot be told apart."""

NameTap = Callable[[FloatArray], str | None]
"""Readings [point], scan after scan: which tap changer is one step off, `UNDECIDABLE`, or None so far."""

OR = " or "
"""Between devices that are named together, because the meters cannot tell them apart."""
RIGHT = "the right one"
UNDECIDABLE = "undecidable"


def flow_over_sigma(study: Study, switch: str) -> float:
    """Power through a closed switch at the expected state, over what telemetry leaves unknown of it."""
    key = PointKey(kind=PointKind.P_FLOW, element=switch)
    alone = Referee(
        study.arrays,
        study.grid,
        keys=(key,),
        sigma=np.ones(1),
        prior=study.prior,
        source_v_sigma_pu=study.policy.source_v_sigma_pu,
        source_angle_sigma_rad=study.policy.source_angle_sigma_rad,
    )
    referee = study.referee
    state = State(v=study.expected_v_pu[referee.live], x=np.zeros(len(referee.inputs.weight)))
    slope, _ = alone.jacobians(state)
    variance = referee.saddle(state).variance(slope.T.tocsc())
    return float(abs(alone.readings(state)[0]) / np.sqrt(variance[0]))


def opened(study: Study, switch: str) -> GridState:
    """The study's positions with one switch open."""
    return study.grid.with_switch(ElementId(switch), closed=False)


def stepped(study: Study, changer: str, steps: int) -> GridState:
    """The study's positions with one tap moved."""
    element = ElementId(changer)
    return study.grid.with_tap(element, position=study.grid.tap_position[element] + steps)


def closed_switches(study: Study) -> tuple[str, ...]:
    """In model order."""
    branches = [study.arrays.branches[i] for i in study.arrays.switches]
    return tuple(str(b.id) for b in branches if study.grid.closed[b.id])


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """What was said of each device's scans, or runs of scans."""

    name: str
    said: Mapping[str, Sequence[str | None]]
    """By the device that was wrong."""

    def frac(self, answer: str | None, *, of: str | None = None) -> float:
        """How often an answer was given. `RIGHT` is the device itself, or a few with it among them.

        Args:
            answer: the answer.
            of: of this device's scans; of all where left out.
        """
        hits = [
            device in said.split(OR) if answer == RIGHT and said else said == answer
            for device, answers in self.said.items()
            for said in answers
            if of in (None, device)
        ]
        return float(np.mean(hits))

    def lines(self) -> list[str]:
        """The table of one feeder."""
        rows = [f"{self.name}: named {100 * self.frac(RIGHT):.2f} %"]
        for device in self.said:
            right, open_ended, silent = (self.frac(a, of=device) for a in (RIGHT, UNDECIDABLE, None))
            other = 1.0 - right - open_ended - silent
            rows.append(
                f"  {device}: named {100 * right:.1f} %, undecidable {100 * open_ended:.1f} %, "
                f"nothing {100 * silent:.1f} %, another {100 * other:.1f} %"
            )
        return rows


def switch_naming(study: Study, name: NameSwitch, *, switches: Sequence[str], draws: int, seed: int) -> Verdicts:
    """Scans in which one switch is open that is reported closed.

    Args:
        study: the feeder, with the positions as reported.
        name: says which switch is wrong.
        switches: those to open, one at a time.
        draws: scans with each.
        seed: of the draws.
    """
    answers: dict[str, list[str | None]] = {}
    for switch in switches:
        _, values = study.drawn(seed=seed, count=draws, grid=opened(study, switch))
        answers[switch] = [name(values[:, i]) for i in range(draws)]
    return Verdicts(name=study.name, said=answers)


def tap_naming(
    study: Study,
    start: Callable[[], NameTap],
    *,
    changers: Sequence[str],
    runs: int,
    seed: int,
    bias_frac: float = 0.0,
) -> Verdicts:
    """Runs of 60 scans in which one tap is a step above what is reported.

    Args:
        study: the feeder, with the positions as reported.
        start: a fresh namer for each run.
        changers: those to move, one at a time.
        runs: with each.
        seed: of the draws.
        bias_frac: standard deviation of a constant error of each voltage meter, over its reading.
    """
    voltage = np.array([k.kind in (PointKind.V_MAGNITUDE, PointKind.V_LINE) for k in study.plan.keys])
    answers: dict[str, list[str | None]] = {}
    for changer in changers:
        grid = stepped(study, changer, 1)
        meters = MeterFunctions(study.arrays, grid, keys=study.plan.keys)
        answers[changer] = []
        for run in range(runs):
            bias = bias_frac * normals(seed, 10**6 + run, len(voltage)) * voltage
            values = (1.0 + bias[:, None]) * study.living(grid, seed=seed, run=run, scans=SCANS).readings(meters)
            ask, verdict = start(), None
            for i in range(SCANS):
                errors = noise(seed, run * SCANS + i, len(voltage))
                verdict = verdict or ask(values[:, i] + study.plan.sigma * errors)
            answers[changer].append(verdict)
    return Verdicts(name=study.name, said=answers)


class Evidence:
    """Log evidence of grid states for one scan after the other, by the referee."""

    def __init__(self, study: Study, grids: Mapping[str, GridState]) -> None:
        """`grids` by name; "" for as reported."""
        self._study = study
        self._referees = {name: study.referee_in(grid) for name, grid in grids.items()}

    def of(self, value: FloatArray) -> dict[str, float]:
        """Of one scan [point], each hypothesis less the best."""
        found = {}
        for name, referee in self._referees.items():
            best = referee.solve(
                value, v_start_pu=self._study.expected_v_pu, tolerance_pu=_TOLERANCE_PU, most_steps=_STEPS
            )
            _, log_det = np.linalg.slogdet(referee.saddle(best.state).residual_covariance())
            found[name] = 0.5 * float(log_det) - 0.5 * best.chi2
        largest = max(found.values())
        return {name: x - largest for name, x in found.items()}


@dataclass(frozen=True, kw_only=True)
class Separation:
    """Log odds that noise-free readings of the expected loads give to the switch that is open."""

    from_reported: float
    """Against the positions as reported. 12.5 is five sigma."""
    from_next: float
    """Against the next best switch: near 0 where two are in series with nothing metered or drawn between."""
    next: str
    """That switch."""


def separations(study: Study, switches: Sequence[str]) -> dict[str, Separation]:
    """Of each switch when it is open: whether the meters can tell at all, from nothing and from each other.

    A switch with nothing behind it carries many sigmas of a charging current that is known well, and no meter sees it
    open; that is why the flow alone is no measure.
    """
    evidence = Evidence(study, {"": study.grid, **{s: opened(study, s) for s in switches}})
    found = {}
    for switch in switches:
        grid = opened(study, switch)
        state = flows_of(study.arrays, grid, inputs=study.all_inputs, x=np.zeros((len(study.all_inputs.weight), 1)))
        value = state.readings(MeterFunctions(study.arrays, grid, keys=study.plan.keys))[:, 0]
        odds = evidence.of(value)
        others = {s: odds[s] for s in switches if s != switch}
        nearest = max(others, key=lambda s: others[s], default="")
        found[switch] = Separation(
            from_reported=odds[switch] - odds[""],
            from_next=odds[switch] - others.get(nearest, -np.inf),
            next=nearest,
        )
    return found


def switch_by_evidence(study: Study, switches: Sequence[str], *, log_odds: float = 3.0) -> NameSwitch:
    """The switch whose opening explains a scan better than the reported positions, by `log_odds` at least."""
    evidence = Evidence(study, {"": study.grid, **{s: opened(study, s) for s in switches}})

    def name(value: FloatArray) -> str | None:
        found = evidence.of(value)
        best = max(found, key=lambda e: found[e])
        return best if best and found[""] < -log_odds else None

    return name
