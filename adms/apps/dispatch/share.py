"""Who gives how much: two linear programs, first the stated order of the classes, then equal shares inside each.

Order "cost": batteries, then EV charging, then PV. Rule "proportional": inside a class everybody gives the same share
of its rating, except who has less to give. With voltage rows the shares are as equal as the rows let them be.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from adms.apps.dispatch.fleet import Member, ratings_w
from adms.apps.linear_program import LinearProgram, Optimum, minimise
from adms.core.telemetry import FloatArray
from adms.grid.model import DerKind

FAIRNESS_RULE = "proportional"
CLASS_COST = {DerKind.BATTERY: 1.0, DerKind.EV: 10.0, DerKind.PV: 100.0, DerKind.GENERATOR: 1000.0}
SHORT_COST = 1e5
ABOVE_COST = 1e7
"""Of leaving a voltage row, per pu: dearer than missing the limit, because a row holds a voltage limit."""
W_PER_COLUMN = 1e3


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Linear voltage limits: matrix @ p <= limit, p in W [member]. Built by `adms.apps.dispatch.proof`."""

    matrix: FloatArray
    """[row, member] pu per W."""
    limit: FloatArray
    """[row] pu."""


NO_ROWS = Rows(matrix=np.zeros((0, 0)), limit=np.zeros(0))


@dataclass(frozen=True, kw_only=True)
class Share:
    """Setpoints of the members, and what is missing."""

    p_w: FloatArray
    """[member]."""
    short_w: float
    """What the limit needs and nobody has."""
    solver: str
    """Empty, or the solver's word where it gave no optimum. The setpoints are then filled up class by class, and no
    voltage row is in them: `adms.apps.dispatch.proof` scales them back to what an exact power flow permits."""


def share(members: tuple[Member, ...], *, need_w: float, rows: Rows = NO_ROWS) -> Share:
    """Spread a need over members.

    Args:
        members: usable DER behind one interface.
        need_w: change of their sum against idle: positive is more injection, negative is less.
        rows: linear voltage limits over the members.
    """
    idle = np.array([m.idle_w for m in members])
    lower = np.array([m.lower_w for m in members])
    upper = np.array([m.upper_w for m in members])
    if not members or need_w == 0.0:
        return Share(p_w=idle, short_w=abs(need_w), solver="")
    sign = 1.0 if need_w > 0.0 else -1.0
    room = np.maximum(0.0, (upper - idle) if sign > 0.0 else (idle - lower))
    need = abs(need_w) / W_PER_COLUMN
    count, row_count = len(members), len(rows.limit)
    matrix = rows.matrix.reshape(row_count, count)
    limit = rows.limit - matrix @ idle
    voltage = np.hstack([sign * matrix * W_PER_COLUMN, np.zeros((row_count, 1)), -np.eye(row_count)])
    balance = np.concatenate([np.ones(count + 1), np.zeros(row_count)])
    cost = np.concatenate([[CLASS_COST[m.der.kind] for m in members], [SHORT_COST], np.full(row_count, ABOVE_COST)])
    upper_x = np.concatenate([room / W_PER_COLUMN, [need], np.full(row_count, np.inf)])
    first = minimise(
        LinearProgram(
            cost=cost,
            lower=np.zeros(count + 1 + row_count),
            upper=upper_x,
            rows=sp.csr_matrix(np.vstack([balance, voltage])),
            row_lower=np.concatenate([[need], np.full(row_count, -np.inf)]),
            row_upper=np.concatenate([[need], limit]),
        )
    )
    if not isinstance(first, Optimum):
        given = _filled(members, room, need_w=abs(need_w), down=sign < 0.0)
        return Share(p_w=idle + sign * given, short_w=abs(need_w) - float(given.sum()), solver=first.reason)
    x, word = _fair(members, first.x, upper=upper_x, voltage=voltage, limit=limit, sign=sign)
    p = np.clip(idle + sign * x[:count] * W_PER_COLUMN, np.minimum(idle, lower), np.maximum(idle, upper))
    return Share(p_w=p, short_w=float(x[count]) * W_PER_COLUMN, solver=word)


def _filled(members: tuple[Member, ...], room: FloatArray, *, need_w: float, down: bool) -> FloatArray:
    """[member] W by the stated order and rule without a program: each class in turn gives the same share of its
    ratings, who has less room gives it all, until the need is met."""
    given = np.zeros(len(members))
    rating = ratings_w(members, down=down)
    for kind in sorted({m.der.kind for m in members}, key=CLASS_COST.__getitem__):
        open_ = np.array([m.der.kind is kind and r > 0.0 for m, r in zip(members, rating, strict=True)])
        while open_.any() and need_w > float(given.sum()):
            share_frac = (need_w - float(given.sum())) / float(rating[open_].sum())
            step = np.where(open_, np.minimum(room - given, share_frac * rating), 0.0)
            given = given + step
            full = open_ & (step < share_frac * rating)
            if not full.any():
                break
            open_ &= ~full
    return given


def _fair(
    members: tuple[Member, ...],
    x: FloatArray,
    *,
    upper: FloatArray,
    voltage: FloatArray,
    limit: FloatArray,
    sign: float,
) -> tuple[FloatArray, str]:
    """Class totals kept, the largest share of each class made as small as it can be: x_k <= share * rating_k. At the
    optimum x_k = min(room_k, share * rating_k), which is the proportional rule. Without an optimum: `x` as it is, and
    the solver's word."""
    count = len(members)
    kinds = [kind for kind in DerKind if any(m.der.kind is kind for m in members)]
    rating = ratings_w(members, down=sign < 0.0) / W_PER_COLUMN
    of_class = np.array([[float(m.der.kind is kind) for m in members] for kind in kinds])
    rest = len(x) - count
    totals = np.hstack([of_class, np.zeros((len(kinds), rest + len(kinds)))])
    shares = np.hstack([np.eye(count), np.zeros((count, rest)), -(of_class * rating).T])
    held = np.hstack([voltage, np.zeros((len(limit), len(kinds)))])
    total = of_class @ x[:count]
    lower = np.concatenate([np.zeros(count), x[count:], np.zeros(len(kinds))])
    answer = minimise(
        LinearProgram(
            cost=np.concatenate([np.zeros(len(x)), np.ones(len(kinds))]),
            lower=lower,
            # Short and above stay what the first program left.
            upper=np.concatenate([upper[:count], x[count:], np.full(len(kinds), np.inf)]),
            rows=sp.csr_matrix(np.vstack([totals, shares, held])),
            row_lower=np.concatenate([total, np.full(count + len(limit), -np.inf)]),
            row_upper=np.concatenate([total, np.zeros(count), limit]),
        )
    )
    return (answer.x[: len(x)], "") if isinstance(answer, Optimum) else (x, answer.reason)
