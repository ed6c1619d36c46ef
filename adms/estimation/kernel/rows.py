"""What each measurement row says at a point: its value h, its slopes, and its part of the gradient, compiled."""

import math

from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray
from adms.estimation.kernel.columns import ReadingColumns, RowColumns

SIZE, ANGLE, ACTIVE = 0, 1, 2


@compiled
def row_value(rows: RowColumns, r: int, x: FloatArray, s: ComplexArray) -> tuple[float, complex]:
    """(h, the phasor that it is made of) of one row."""
    total = 0.0 + 0.0j
    if rows.form[r] <= ANGLE:
        for e in range(rows.first[r], rows.first[r + 1]):
            c = rows.column[e]
            total += rows.y[e] * complex(x[c], x[c + 1])
        if rows.form[r] == SIZE:
            return abs(total), total
        return math.atan2(total.imag, total.real), total
    for e in range(rows.first[r], rows.first[r + 1]):
        a, c = rows.at[e], rows.column[e]
        total += complex(x[a], x[a + 1]) * (rows.y[e] * complex(x[c], x[c + 1])).conjugate()
    for e in range(rows.input_first[r], rows.input_first[r + 1]):
        if rows.inputs[e] >= 0:
            total += s[rows.inputs[e]]
    return (total.real if rows.form[r] == ACTIVE else total.imag), total


@compiled
def residual_of(rows: RowColumns, r: int, z: float, h: float) -> float:
    """z - h; of an angle, the smaller way round."""
    away = z - h
    if rows.form[r] == ANGLE:
        return away - 2.0 * math.pi * math.floor(away / (2.0 * math.pi) + 0.5)
    return away


@compiled
def slope_of_size(rows: RowColumns, r: int, e: int, phasor: complex) -> complex:
    """Derivative of a SIZE or ANGLE row along (Re, Im) of the phasor of one of its terms."""
    size = abs(phasor)
    if size == 0.0:
        return 0.0j
    along = phasor / size if rows.form[r] == SIZE else 1.0j * phasor / (size * size)
    return complex(along * rows.y[e].conjugate())


@compiled
def slopes_of_power(rows: RowColumns, r: int, e: int, x: FloatArray) -> tuple[complex, complex]:
    """Derivatives of an ACTIVE or REACTIVE row along the voltage of one of its terms, and along its phasor."""
    a, c = rows.at[e], rows.column[e]
    turn = 1.0 + 0.0j if rows.form[r] == ACTIVE else 1.0j
    of_voltage = turn * rows.y[e] * complex(x[c], x[c + 1])
    of_phasor = turn.conjugate() * complex(x[a], x[a + 1]) * rows.y[e].conjugate()
    return of_voltage, of_phasor


@compiled
def row_part(
    rows: RowColumns,
    readings: ReadingColumns,
    x: FloatArray,
    s: ComplexArray,
    residual: FloatArray,
    right: FloatArray,
) -> None:
    """Works out the residuals z - h [M] of all rows, used or not, and adds the used rows' part of the gradient."""
    # Nothing is called in these loops, as in `deviations`: `row_value` and the slopes stand here once more.
    form, place, first, at, column, y, input_first, inputs = rows
    z, variance, use = readings
    for r in range(len(form)):
        kind = form[r]
        tr, ti = 0.0, 0.0
        if kind <= ANGLE:
            for e in range(first[r], first[r + 1]):
                c = column[e]
                yr, yi = y[e].real, y[e].imag
                tr += yr * x[c] - yi * x[c + 1]
                ti += yr * x[c + 1] + yi * x[c]
            size = math.sqrt(tr * tr + ti * ti)
            if kind == SIZE:
                away = z[r] - size
            else:
                away = z[r] - math.atan2(ti, tr)
                away -= 2.0 * math.pi * math.floor(away / (2.0 * math.pi) + 0.5)
            residual[r] = away
            if not use[r]:
                continue
            mu = x[place[r]]
            right[place[r]] += away + variance[r] * mu
            if size == 0.0:
                continue
            if kind == SIZE:
                sr, si = mu * tr / size, mu * ti / size
            else:
                sr, si = -mu * ti / (size * size), mu * tr / (size * size)
            for e in range(first[r], first[r + 1]):
                c = column[e]
                yr, yi = y[e].real, y[e].imag
                right[c] -= sr * yr + si * yi
                right[c + 1] -= si * yr - sr * yi
            continue
        for e in range(first[r], first[r + 1]):
            a, c = at[e], column[e]
            yr, yi = y[e].real, y[e].imag
            ir, ii = yr * x[c] - yi * x[c + 1], yr * x[c + 1] + yi * x[c]
            tr += x[a] * ir + x[a + 1] * ii
            ti += x[a + 1] * ir - x[a] * ii
        for e in range(input_first[r], input_first[r + 1]):
            if inputs[e] >= 0:
                tr += s[inputs[e]].real
                ti += s[inputs[e]].imag
        active = kind == ACTIVE
        away = z[r] - (tr if active else ti)
        residual[r] = away
        if not use[r]:
            continue
        mu = x[place[r]]
        right[place[r]] += away + variance[r] * mu
        for e in range(first[r], first[r + 1]):
            a, c = at[e], column[e]
            yr, yi = y[e].real, y[e].imag
            ir, ii = yr * x[c] - yi * x[c + 1], yr * x[c + 1] + yi * x[c]
            vr, vi = x[a], x[a + 1]
            # Along the voltage i, or j i; along the phasor V conj(y), or -j V conj(y).
            pr, pi = vr * yr + vi * yi, vi * yr - vr * yi
            if active:
                right[a] -= mu * ir
                right[a + 1] -= mu * ii
                right[c] -= mu * pr
                right[c + 1] -= mu * pi
            else:
                right[a] += mu * ii
                right[a + 1] -= mu * ir
                right[c] -= mu * pi
                right[c + 1] += mu * pr
