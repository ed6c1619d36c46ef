"""What meters beyond a switch say about it at first sight: live ones that would be dead, silent ones that would be
live. The linear test knows nothing of either; each is worth a gross error."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.hypotheses_candidates import Candidate
from adms.estimation.hypotheses_evidence import Heard
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.estimation.layout import Layout
from adms.estimation.problem import Problem
from adms.estimation.readings import LEAST_V_PU

_SIGMAS = 5.0
"""A power or current above this many sigmas is of something live."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """What is live with a switch the other way."""

    dies: IntArray
    """Rows that are no longer live."""
    wakes: IntArray
    """Rows that are live then."""
    parts: bool
    """True where any node changes: no linear test knows what that means."""


def change_of(candidate: Candidate, *, problem: Problem) -> Change:
    """What a candidate makes dead or live.

    Args:
        candidate: a switch.
        problem: the network as reported.
    """
    layout = problem.layout
    arrays, rows = layout.arrays, layout.rows
    solved = arrays.energised(candidate.applied(problem.grid)) | (problem.factor.solved & ~problem.factor.energised)
    live = rows.live(solved=solved, injectors=arrays.injector_live(solved))
    return Change(
        dies=np.flatnonzero(problem.live_rows & ~live),
        wakes=np.flatnonzero(~problem.live_rows & live),
        parts=not np.array_equal(solved, problem.factor.solved),
    )


def first_sight(
    changes: Mapping[Candidate, Change],
    *,
    sight: Mapping[Candidate, float],
    heard: Heard,
    layout: Layout,
    hypotheses: HypothesisPolicy,
) -> dict[Candidate, float]:
    """Log odds by the linear test, and by whether meters beyond are live; good enough to choose what to solve.

    Args:
        changes: of each switch.
        sight: log odds by the linear test; 0 where there is none.
        heard: the readings.
        layout: of the rows.
        hypotheses: the price of a gross error.
    """
    says = _live(heard, layout)
    count = max(int(heard.use.sum()), 1)
    price = float(np.log(2.0 * hypotheses.gross_error_sigmas * count / hypotheses.bad_meter_odds))
    found = {}
    for candidate, change in changes.items():
        found[candidate] = sight[candidate] + price * float(says[change.wakes].sum() - says[change.dies].sum())
    return found


def _live(heard: Heard, layout: Layout) -> FloatArray:
    """[M] 1 where a voltage meter says that something is live, -1 where it says dead; of another meter, which may well
    read nothing at a live place, 1 or 0; 0 where nothing is heard."""
    is_voltage = layout.moving.voltage_size
    size = np.abs(heard.z)
    of_voltage = np.where(size > LEAST_V_PU, 1.0, -1.0)
    other = np.where(size > _SIGMAS * np.sqrt(heard.variance), 1.0, 0.0)
    return np.where(heard.use, np.where(is_voltage, of_voltage, other), 0.0)
