"""The fixed point of the power flow, compiled: every case a column, all nodes in the order of elimination."""

import math

import numpy as np

from adms.block_ldu.factor import complete, substitute, substitute_columns
from adms.block_ldu.structure import Pattern
from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import BoolArray
from adms.grid.load_law import admittances_at
from adms.powerflow.mismatch import FlowColumns, subtract_flow, subtract_flow_carefully

InjectorColumns = tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
"""fr, to, ratio, scale, law, lowest, highest: see `Layout`."""

CONVERGED, NOT_A_NUMBER, GROWING, SLOW = 1, 2, 3, 4
GROWING_STEPS = 8
"""Steps in a row that grow before a case is given up."""
_STEPS_TO_JUDGE = 5
"""Steps after which the contraction is known well enough."""
_NO_VOLTAGE, _KEPT = 0.05**2, 0.5
"""An injector below this square of its nominal voltage that keeps this part of its power has collapsed."""
ROUNDING_PU = 1e-7
"""Steps below this that no longer shrink are rounding."""
_NO_STEP_PU = 1e-13
"""Smaller steps say nothing."""


@compiled
def _current(power: complex, across: complex, size: float, k: int, scale: FloatArray, law: FloatArray) -> complex:
    """What injector `k` injects at a voltage of square `size` that is outside its range of constant power."""
    squared = scale[k] * scale[k]
    g, h = admittances_at(math.sqrt(squared * size), law[k])
    return complex(squared * complex(power.real * g, -power.imag * h) * across)


@compiled
def _add_currents_of_one(injectors: InjectorColumns, s: ComplexArray, v: ComplexArray, current: ComplexArray) -> None:
    fr, to, ratio, scale, law, lowest, highest = injectors
    for k in range(len(fr)):
        power = s[k]
        if power == 0.0:
            continue
        a, b = fr[k], to[k]
        across = v[a]
        if b >= 0:
            across -= ratio[k] * v[b]
        size = across.real * across.real + across.imag * across.imag
        if lowest[k] <= size <= highest[k]:
            part = 1.0 / size
            i = complex(power.real * part, -power.imag * part) * across
        else:
            i = _current(power, across, size, k, scale, law)
        current[a] += i
        if b >= 0:
            current[b] -= ratio[k] * i


@compiled
def add_currents(injectors: InjectorColumns, s: ComplexArray, v: ComplexArray, current: ComplexArray) -> None:
    """Adds what the injectors inject at `v` to `current`, both [place, case]; `s` [injector, case] nominal powers."""
    cases = v.shape[1]
    if cases == 1:
        _add_currents_of_one(injectors, s.reshape(len(s)), v.reshape(len(v)), current.reshape(len(v)))
        return
    fr, to, ratio, scale, law, lowest, highest = injectors
    for k in range(len(fr)):
        a, b = fr[k], to[k]
        share, low, high = ratio[k], lowest[k], highest[k]
        for c in range(cases):
            power = s[k, c]
            if power == 0.0:
                continue
            across = v[a, c]
            if b >= 0:
                across -= share * v[b, c]
            size = across.real * across.real + across.imag * across.imag
            if low <= size <= high:
                part = 1.0 / size
                i = complex(power.real * part, -power.imag * part) * across
            else:
                i = _current(power, across, size, k, scale, law)
            current[a, c] += i
            if b >= 0:
                current[b, c] -= share * i


@compiled
def injected_power(injectors: InjectorColumns, s: ComplexArray, v: ComplexArray) -> tuple[ComplexArray, IntArray]:
    """([injector, case] powers at `v` [place, case] from nominal ones, [case] an injector that holds its power at next
    to no voltage, so that its current has no meaning; -1 where there is none)."""
    fr, to, ratio, scale, law, lowest, highest = injectors
    cases = v.shape[1]
    found = np.zeros((len(fr), cases), dtype=np.complex128)
    lost = np.full(cases, -1, dtype=np.int64)
    for k in range(len(fr)):
        a, b = fr[k], to[k]
        for c in range(cases):
            power = s[k, c]
            if power == 0.0:
                continue
            across = v[a, c]
            if b >= 0:
                across -= ratio[k] * v[b, c]
            size = across.real * across.real + across.imag * across.imag
            if lowest[k] <= size <= highest[k]:
                found[k, c] = power
            else:
                squared = size * scale[k] * scale[k]
                g, h = admittances_at(math.sqrt(squared), law[k])
                found[k, c] = complex(power.real * g * squared, power.imag * h * squared)
            if size * scale[k] * scale[k] < _NO_VOLTAGE and abs(found[k, c]) > _KEPT * abs(power):
                lost[c] = k
    return found, lost


@compiled
def _start_from(norton: ComplexArray, begin: int, x: ComplexArray) -> None:
    """Source currents into every column."""
    n, cases = x.shape
    if cases == 1:
        x.reshape(n)[begin:] = norton[begin:]
        return
    for r in range(begin, n):
        for c in range(cases):
            x[r, c] = norton[r]


@compiled
def _advance(
    begin: int, led: int, exact: BoolArray, verdict: IntArray, x: ComplexArray, v: ComplexArray, square: FloatArray
) -> None:
    """Makes steps of `x`, adds them to `v` where a case goes on, and finds the square of the largest into `square`: of
    plain steps, which do not know the voltages of the leading nodes, from `led` on."""
    n, cases = v.shape
    square[:] = 0.0
    if cases == 1:
        one, at = x.reshape(n), v.reshape(n)
        largest = 0.0
        if exact[0]:
            for r in range(begin, n):
                d = one[r]
                at[r] += d
                size = d.real * d.real + d.imag * d.imag
                if not size <= largest:
                    largest = size if size == size else np.inf
        else:
            for r in range(begin, n):
                d = one[r] - at[r]
                at[r] = one[r]
                size = d.real * d.real + d.imag * d.imag
                if r >= led and not size <= largest:
                    largest = size if size == size else np.inf
        square[0] = largest
        return
    for r in range(begin, n):
        for c in range(cases):
            if not exact[c]:
                x[r, c] -= v[r, c]
            d = x[r, c]
            size = d.real * d.real + d.imag * d.imag
            if not size <= square[c] and (r >= led or exact[c]):
                square[c] = size if size == size else np.inf
        for c in range(cases):
            if verdict[c] == 0:
                v[r, c] += x[r, c]


@compiled
def _solve(pattern: Pattern, values: ComplexArray, x: ComplexArray, first: int) -> None:
    if x.shape[1] == 1:
        substitute(pattern, values, x.reshape(x.shape[0]), first)
    else:
        substitute_columns(pattern, values, x, first)


@compiled
def iterate(
    pattern: Pattern,
    values: ComplexArray,
    norton: ComplexArray,
    flow: FlowColumns,
    entry_value: ComplexArray,
    injectors: InjectorColumns,
    s: ComplexArray,
    v: ComplexArray,
    tolerance: float,
    max_iterations: int,
    patience: int,
    verdict: IntArray,
    iterations: IntArray,
    step: FloatArray,
    contraction: FloatArray,
) -> None:
    """Iterates `v` [place, case] in place until every case has its verdict.

    Steps are V <- M^-1 (J + I(V)) until what their contraction leaves to do is below the tolerance. From then on they
    are V <- V + M^-1 (J + I(V) - Y V): the same in exact arithmetic, but free of the factor's rounding, so the last one
    is the exact mismatch brought to voltages. A case is finished after such a step below the tolerance, and its result
    does not depend on the other columns. Where steps stop shrinking above the tolerance, because rounding makes up for
    what they correct, they go on with sums that do not round, and end where those no longer shrink either. A case is
    left as slow where, at its present contraction, the tolerance is more than `patience` steps away.
    """
    n, cases = v.shape
    led = pattern.start[pattern.lead]
    x = np.empty((n, cases), dtype=np.complex128)
    square = np.zeros(cases)
    growing = np.zeros(cases, dtype=np.int64)
    older = np.full(cases, np.inf)
    exact = np.zeros(cases, dtype=np.bool_)
    careful = np.zeros(cases, dtype=np.bool_)
    first = 0
    for iteration in range(1, max_iterations + 1):
        # Nothing is injected at the leading nodes, and while steps are plain nothing needs their voltages.
        first = 0 if exact.any() else pattern.lead
        begin = pattern.start[first]
        _start_from(norton, begin, x)
        add_currents(injectors, s, v, x)
        if exact.any():
            subtract_flow(flow, v, exact & ~careful, x)
        if careful.any():
            subtract_flow_carefully(flow, entry_value, v, careful, x)
        _solve(pattern, values, x, first)
        _advance(begin, led, exact, verdict, x, v, square)
        left, begins = False, False
        for c in range(cases):
            if verdict[c] != 0:
                continue
            moved = math.sqrt(square[c])
            growing[c] = growing[c] + 1 if moved >= step[c] else 0
            if older[c] < np.inf and moved > _NO_STEP_PU and not exact[c]:
                contraction[c] = math.sqrt(moved / older[c])
            older[c] = step[c]
            step[c] = moved
            iterations[c] = iteration
            if not moved < np.inf:
                verdict[c] = NOT_A_NUMBER
            elif exact[c] and (moved < tolerance or (careful[c] and growing[c] > 0 and moved < ROUNDING_PU)):
                verdict[c] = CONVERGED
            elif exact[c] and not careful[c] and growing[c] > 0 and moved < ROUNDING_PU:
                careful[c] = True
                growing[c] = 0
                left = True
            elif growing[c] >= GROWING_STEPS:
                verdict[c] = GROWING
            elif iteration >= _STEPS_TO_JUDGE and moved * contraction[c] ** patience > tolerance:
                verdict[c] = SLOW
            else:
                rate = contraction[c]
                if not exact[c] and (moved < tolerance or moved * rate < tolerance * (1.0 - rate)):
                    exact[c] = begins = True
                    step[c] = np.inf  # the first exact step corrects what plain ones did not see
                left = True
        if first > 0 and (begins or not left):
            complete(pattern, values, v)
        if not left:
            return
    if first > 0:
        complete(pattern, values, v)
    for c in range(cases):
        if verdict[c] == 0:
            verdict[c] = SLOW
