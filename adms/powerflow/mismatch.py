"""What is missing in the currents: J + I(V) - Y V, plainly and with sums that do not round.

Plainly, currents of lines and switches follow from the differences of voltages between their ends, so that a switch of
micro-ohms does not drown everything else in its rounding.

A node that hangs on a weak admittance (a floating delta winding and its stray capacitance, 1e-9 of its own admittance)
turns rounding of the currents into voltage: 1e-16 of them is 1e-7 pu there. Sums with error-free products and additions
(T. J. Dekker, Numer. Math. 18, 1971; T. Ogita, S. M. Rump, S. Oishi, SIAM J. Sci. Comput. 26(6), 2005, algorithm 5.3)
leave the rounding of V itself only. They cost ten times as much, so they are for where plain ones do not suffice.
"""

import numpy as np

from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import IntArray
from adms.grid.arrays import BoolArray

FlowColumns = tuple[IntArray, IntArray, IntArray, ComplexArray]
"""row, col, against, value: see `Factor.flow_columns`."""

_SPLIT = 134217729.0
"""2^27 + 1"""


@compiled
def _subtract_flow_of_one(flow: FlowColumns, v: ComplexArray, x: ComplexArray) -> None:
    row, col, against, y = flow
    for k in range(len(row)):
        part = y[k]
        if part != 0.0:
            r = against[k]
            x[row[k]] -= part * (v[col[k]] - v[r]) if r >= 0 else part * v[col[k]]


@compiled
def subtract_flow(flow: FlowColumns, v: ComplexArray, wanted: BoolArray, x: ComplexArray) -> None:
    """x -= y (v[col] - v[against]) for every entry, [place, case], of the wanted cases; `against` -1 is ground."""
    cases = v.shape[1]
    if cases == 1:
        if wanted[0]:
            _subtract_flow_of_one(flow, v.reshape(len(v)), x.reshape(len(x)))
        return
    row, col, against, y = flow
    for k in range(len(row)):
        part = y[k]
        if part != 0.0:
            a, b, r = row[k], col[k], against[k]
            for c in range(cases):
                if wanted[c]:
                    x[a, c] -= part * (v[b, c] - v[r, c]) if r >= 0 else part * v[b, c]


@compiled
def _add(total: float, low: float, term: float) -> tuple[float, float]:
    """Exact sum of `total` and `term`, its error added to `low`."""
    after = total + term
    back = after - total
    return after, low + ((total - (after - back)) + (term - back))


@compiled
def _add_product(total: float, low: float, a: float, b: float) -> tuple[float, float]:
    """`total` + a b, what does not fit added to `low`."""
    product = a * b
    wide = _SPLIT * a
    a_high = wide - (wide - a)
    wide = _SPLIT * b
    b_high = wide - (wide - b)
    a_low, b_low = a - a_high, b - b_high
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    total, low = _add(total, low, product)
    return total, low + error


@compiled
def subtract_flow_carefully(
    flow: FlowColumns, y: ComplexArray, v: ComplexArray, wanted: BoolArray, x: ComplexArray
) -> None:
    """x -= Y v, with the entries `y` of Y itself at `flow`'s places, without rounding but of the result."""
    row, col, _, _ = flow
    n, cases = v.shape
    for c in range(cases):
        if not wanted[c]:
            continue
        re, re_low = x[:, c].real.copy(), np.zeros(n)
        im, im_low = x[:, c].imag.copy(), np.zeros(n)
        for k in range(len(row)):
            if y[k] == 0.0:
                continue
            a = row[k]
            g, b, p, q = y[k].real, y[k].imag, v[col[k], c].real, v[col[k], c].imag
            re[a], re_low[a] = _add_product(re[a], re_low[a], -g, p)
            re[a], re_low[a] = _add_product(re[a], re_low[a], b, q)
            im[a], im_low[a] = _add_product(im[a], im_low[a], -g, q)
            im[a], im_low[a] = _add_product(im[a], im_low[a], -b, p)
        for r in range(n):
            x[r, c] = complex(re[r] + re_low[r], im[r] + im_low[r])
