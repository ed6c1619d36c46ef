"""The exact gradient of the estimator's Lagrangian, compiled.

Minimise half of the prior's cost plus the squares of (h - z) / sigma subject to c(V, E, S) = 0 with

    c = (Y + Y_s) V - Y_s E - A conj(S / d)          d = A^T V, the voltage across each injector

S is eliminated exactly: with the multipliers lambda of c and mu of the rows, and R the covariance of the powers,

    S = f(|d|) s_nominal + R t         t = conj(A^T lambda / d) - H_S^T mu

so that what is left to solve for is (V, lambda, mu, E). R is diagonal plus one product per shared mode. The gradient
with respect to V holds the slope of the load law too: where the steps end is the optimum (Abur & Exposito, Power System
State Estimation, 2004, chapter 3, with all powers as unknowns).
"""

import math

from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray
from adms.estimation.kernel.columns import (
    HoldColumns,
    InjectorColumns,
    NetworkColumns,
    PriorColumns,
    ReadingColumns,
    RowColumns,
    SourceColumns,
)
from adms.estimation.kernel.rows import ACTIVE, row_part
from adms.grid.load_law import admittance_slope_at, admittances_at

_LEAST_SQUARE = 1e-24
JUST_INSIDE = (1.0 - 1e-9) ** 2


@compiled
def expected(s: complex, law: FloatArray, scale: float, square: float) -> tuple[float, float, float, float]:
    """(P, Q, dP/d|d|, dQ/d|d|) of an injector with nominal power `s` at the square of the voltage across it, where its
    power is not constant."""
    v = math.sqrt(square) * scale
    g, b = admittances_at(v, law)
    slope_g = 2.0 * v * g + v * v * admittance_slope_at(v, law, 0)
    slope_b = 2.0 * v * b + v * v * admittance_slope_at(v, law, 5)
    return s.real * g * v * v, s.imag * b * v * v, s.real * slope_g * scale, s.imag * slope_b * scale


@compiled
def network_part(network: NetworkColumns, sources: SourceColumns, x: FloatArray, right: FloatArray) -> float:
    """Subtracts (Y + Y_s) V - Y_s E, its adjoint, and the gradient of the sources' cost; returns that cost."""
    place, first, column, against, y, flow = network
    for i in range(len(place)):
        a = place[i]
        re, im = 0.0, 0.0
        lre, lim = x[a + 2], x[a + 3]
        for e in range(first[i], first[i + 1]):
            c = column[e]
            vr, vi = x[c], x[c + 1]
            if against[e] >= 0:
                vr -= x[against[e]]
                vi -= x[against[e] + 1]
            yr, yi = flow[e].real, flow[e].imag
            re += yr * vr - yi * vi
            im += yr * vi + yi * vr
            yr, yi = y[e].real, y[e].imag
            right[c] -= yr * lre + yi * lim
            right[c + 1] -= yr * lim - yi * lre
        right[a + 2] -= re
        right[a + 3] -= im
    for e in range(len(sources.node)):
        a, c = sources.node[e], sources.emf[e]
        yr, yi = sources.y[e].real, sources.y[e].imag
        b = sources.other[e]
        er, ei = x[c] - x[b], x[c + 1] - x[b + 1]
        right[a + 2] += yr * er - yi * ei
        right[a + 3] += yr * ei + yi * er
        right[c] += yr * x[a + 2] + yi * x[a + 3]
        right[c + 1] += yr * x[a + 3] - yi * x[a + 2]
    cost = 0.0
    for m in range(len(sources.place)):
        c = sources.place[m]
        re, im = x[c] - sources.mean[m].real, x[c + 1] - sources.mean[m].imag
        g_re = sources.w_re[m] * re + sources.w_cross[m] * im
        g_im = sources.w_cross[m] * re + sources.w_im[m] * im
        right[c] -= g_re
        right[c + 1] -= g_im
        cost += re * g_re + im * g_im
    return cost


@compiled
def deviations(
    injectors: InjectorColumns,
    prior: PriorColumns,
    rows: RowColumns,
    readings: ReadingColumns,
    x: FloatArray,
    step: FloatArray,
    before: ComplexArray,
    t: ComplexArray,
    e: ComplexArray,
) -> float:
    """Works out t and the deviations R t [k] with the V of `x` and the multipliers of `x + step`; where nothing is
    known they add to what they were `before`, which ends where t is zero (proximal point; Rockafellar, SIAM J. Control
    Optim. 14(5), 1976). `e` may be `before`. Returns t^T R t, the cost of the deviations."""
    # Arrays are taken out of their tuples once, and nothing is called in these loops: a call that passes arrays costs
    # more than an injector's arithmetic.
    fr, to, ratio = injectors.fr, injectors.to, injectors.ratio
    _, variance_p, variance_q, keep_p, keep_q, first, member, share = prior
    for k in range(len(fr)):
        a, b = fr[k], to[k]
        vr, vi = x[a], x[a + 1]
        lr, li = x[a + 2] + step[a + 2], x[a + 3] + step[a + 3]
        if b >= 0:
            vr -= ratio[k] * x[b]
            vi -= ratio[k] * x[b + 1]
            lr -= ratio[k] * (x[b + 2] + step[b + 2])
            li -= ratio[k] * (x[b + 3] + step[b + 3])
        part = 1.0 / max(vr * vr + vi * vi, _LEAST_SQUARE)
        t[k] = complex((lr * vr + li * vi) * part, (lr * vi - li * vr) * part)
    for r in range(len(rows.form)):
        if readings.use[r]:
            mu = x[rows.place[r]] + step[rows.place[r]]
            turned = complex(mu, 0.0) if rows.form[r] == ACTIVE else complex(0.0, mu)
            for i in range(rows.input_first[r], rows.input_first[r + 1]):
                t[rows.inputs[i]] -= turned
    cost = 0.0
    for k in range(len(fr)):
        p, q = variance_p[k] * t[k].real, variance_q[k] * t[k].imag
        cost += (1.0 - keep_p[k]) * p * t[k].real + (1.0 - keep_q[k]) * q * t[k].imag
        e[k] = complex(keep_p[k] * before[k].real + p, keep_q[k] * before[k].imag + q)
    for g in range(len(first) - 1):
        moved = 0.0
        for i in range(first[g], first[g + 1]):
            of = t[member[i]]
            moved += share[i].real * of.real + share[i].imag * of.imag
        cost += moved * moved
        for i in range(first[g], first[g + 1]):
            e[member[i]] += moved * share[i]
    return cost


@compiled
def injector_part(
    injectors: InjectorColumns,
    holds: HoldColumns,
    prior: PriorColumns,
    x: FloatArray,
    t: ComplexArray,
    e: ComplexArray,
    s: ComplexArray,
    s_before: ComplexArray,
    right: FloatArray,
) -> None:
    """Adds the injectors' part of the gradient.

    With S = m(V) + R t, which goes into `s`, the current balance; with S as the last step left it, `s_before` = m(V) +
    its deviations, the pull on V: the two are the same at the optimum, and far from it large multipliers make the first
    one wild. `s_before` [k] holds those deviations before and S after.
    """
    fr, to, ratio, scale, law, lowest, highest = injectors
    weight, held, force = holds
    mean = prior.mean
    for k in range(len(fr)):
        a, b = fr[k], to[k]
        vr, vi, lr, li = x[a], x[a + 1], x[a + 2], x[a + 3]
        if b >= 0:
            vr -= ratio[k] * x[b]
            vi -= ratio[k] * x[b + 1]
            lr -= ratio[k] * x[b + 2]
            li -= ratio[k] * x[b + 3]
        square = max(vr * vr + vi * vi, _LEAST_SQUARE)
        part = 1.0 / square
        slope = 0.0
        if weight[k] > 0.0:
            # The law just inside of the limit, so that rounding does not change sides.
            p, q, slope_p, slope_q = expected(mean[k], law[k], scale[k], held[k] * held[k] * JUST_INSIDE)
            usual = complex(p, q)
            size = math.sqrt(square)
            slope = t[k].real * slope_p + t[k].imag * slope_q - force[k] - weight[k] * (size - held[k])
            slope /= size
        elif lowest[k] <= square <= highest[k]:
            usual = mean[k]
        else:
            p, q, slope_p, slope_q = expected(mean[k], law[k], scale[k], square)
            usual = complex(p, q)
            slope = (t[k].real * slope_p + t[k].imag * slope_q) * math.sqrt(part)
        power = e[k] + usual
        s[k] = power
        ir = (power.real * vr + power.imag * vi) * part
        ii = (power.real * vi - power.imag * vr) * part
        # The pull on V is conj(l / d) conj(S / d), less the slope of the law.
        power = s_before[k] + usual
        s_before[k] = power
        jr = (power.real * vr + power.imag * vi) * part
        ji = (power.real * vi - power.imag * vr) * part
        ur, ui = (lr * vr + li * vi) * part, (lr * vi - li * vr) * part
        pr = ur * jr - ui * ji - slope * vr
        pi = ur * ji + ui * jr - slope * vi
        right[a] -= pr
        right[a + 1] -= pi
        right[a + 2] += ir
        right[a + 3] += ii
        if b >= 0:
            right[b] += ratio[k] * pr
            right[b + 1] += ratio[k] * pi
            right[b + 2] -= ratio[k] * ir
            right[b + 3] -= ratio[k] * ii


@compiled
def negative_gradient(
    network: NetworkColumns,
    sources: SourceColumns,
    injectors: InjectorColumns,
    holds: HoldColumns,
    prior: PriorColumns,
    rows: RowColumns,
    readings: ReadingColumns,
    x: FloatArray,
    step: FloatArray,
    e_before: ComplexArray,
    s: ComplexArray,
    s_before: ComplexArray,
    t: ComplexArray,
    residual: FloatArray,
    right: FloatArray,
) -> float:
    """Minus the gradient at `x`, into `right`.

    `e_before` [k] are the deviations of the powers as the last step left them; t, S and the residuals [M] come out
    beside, `s_before` is S with those deviations; `step` [size] has to be zero. Returns the prior's part of
    chi-squared.
    """
    right[:] = 0.0
    s_before[:] = e_before
    cost = network_part(network, sources, x, right)
    cost += deviations(injectors, prior, rows, readings, x, step, e_before, t, s)
    injector_part(injectors, holds, prior, x, t, s, s, s_before, right)
    row_part(rows, readings, x, s, residual, right)
    return cost
