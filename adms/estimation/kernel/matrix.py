"""The estimator's matrix K at one point, assembled in the places of its factor, compiled.

Eliminating the step of S from the Gauss-Newton step leaves, over (V, lambda, mu, E),

    [ 0      J^T     H_V^T   0   ]
    [ J      0       0      -Y_s ]  -  sum over inputs of q q^T        J = dc/dV, H = dh/d(V, E)
    [ H_V    0      -sigma^2 H_E ]
    [ 0     -Y_s^H   H_E^T   W_E ]

(Hachtel's augmented form; Gjelsvik, Aam, Holten, IEEE Trans. PAS 104(11), 1985). Each independent deviation of the
powers gives one q: for a deviation that adds u_k to S_k it is A conj(u / d) over lambda and -u over the mu of the rows
that measure those powers. Deviations shared by far-apart buses would fill K and are kept out: they correct its inverse.
"""

import math

import numpy as np

from adms.block_ldu.structure import Pattern
from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.kernel.columns import (
    AdmittanceColumns,
    HoldColumns,
    InjectorColumns,
    MatrixColumns,
    PriorColumns,
    RowColumns,
    SourceColumns,
)
from adms.estimation.kernel.gradient import JUST_INSIDE, expected
from adms.estimation.kernel.places import add_one, add_pair, add_square, add_symmetric, subtract_product
from adms.estimation.kernel.rows import ACTIVE, ANGLE, row_value, slope_of_size, slopes_of_power
from adms.grid.arrays import BoolArray


@compiled
def _add_network(
    pattern: Pattern, block: IntArray, network: AdmittanceColumns, sources: SourceColumns, values: FloatArray
) -> None:
    """J and Y_s. Written without calls inside the loop over the network: it has most of K's entries."""
    place, first, column, y = network.place, network.first, network.column, network.y
    start, of_column, of_row, diagonal, lower = (
        pattern.start,
        pattern.column,
        pattern.row,
        pattern.diagonal,
        pattern.lower,
    )
    for n in range(len(place)):
        a = place[n] + 2
        i = block[a]
        in_i = a - start[i]
        width = start[i + 1] - start[i]
        for e in range(first[n], first[n + 1]):
            b = column[e]
            yr, yi = y[e].real, y[e].imag
            if yr == 0.0 and yi == 0.0:
                continue
            j = block[b]
            in_j = b - start[j]
            if i == j:
                base, row, step = diagonal[i] + in_i * width + in_j, width, 1
                mirror = diagonal[i] + in_j * width + in_i
                values[mirror] += yr
                values[mirror + width] -= yi
                values[mirror + 1] += yi
                values[mirror + width + 1] += yr
            elif i > j:
                at = of_column[j]
                while of_row[at] != i:
                    at += 1
                row, step = start[j + 1] - start[j], 1
                base = lower[at] + in_i * row + in_j
            else:
                at = of_column[i]
                while of_row[at] != j:
                    at += 1
                row, step = 1, width
                base = lower[at] + in_j * width + in_i
            values[base] += yr
            values[base + step] -= yi
            values[base + row] += yi
            values[base + row + step] += yr
    for e in range(len(sources.node)):
        yr, yi = sources.y[e].real, sources.y[e].imag
        add_square(pattern, block, values, sources.node[e] + 2, sources.emf[e], -yr, yi, -yi, -yr)
    for m in range(len(sources.place)):
        c = sources.place[m]
        add_one(pattern, block, values, c, c, sources.w_re[m])
        add_one(pattern, block, values, c, c + 1, sources.w_cross[m])
        add_one(pattern, block, values, c + 1, c + 1, sources.w_im[m])


@compiled
def _add_injectors(
    pattern: Pattern,
    matrix: MatrixColumns,
    injectors: InjectorColumns,
    holds: HoldColumns,
    prior: PriorColumns,
    rows: RowColumns,
    inside: BoolArray,
    x: FloatArray,
    s: ComplexArray,
    values: FloatArray,
) -> None:
    """J: the derivatives of -conj(S / d) along d, S following the load law."""
    block = matrix.block
    fr, to, ratio, scale, law, lowest, highest = injectors
    mean = prior.mean
    row_first = matrix.row_first
    for k in range(len(fr)):
        a, b = fr[k], to[k]
        f = ratio[k]
        d = complex(x[a], x[a + 1])
        if b >= 0:
            d -= f * complex(x[b], x[b + 1])
        square = d.real * d.real + d.imag * d.imag
        c = s[k] / (d * d)
        j00, j01, j10, j11 = c.real, -c.imag, -c.imag, -c.real
        weight = holds.weight[k]
        if weight > 0.0:
            m00, m01 = weight * d.real * d.real / square, weight * d.real * d.imag / square
            m11 = weight * d.imag * d.imag / square
            add_symmetric(pattern, block, values, a, m00, m01, m11)
            if b >= 0:
                add_symmetric(pattern, block, values, b, f * f * m00, f * f * m01, f * f * m11)
                add_square(pattern, block, values, a, b, -f * m00, -f * m01, -f * m01, -f * m11)
            square = holds.size[k] * holds.size[k] * JUST_INSIDE
        constant = lowest[k] <= square <= highest[k] and weight == 0.0
        slope_p, slope_q, size = 0.0, 0.0, 1.0
        if not constant:
            _, _, slope_p, slope_q = expected(mean[k], law[k], scale[k], square)
            size = math.sqrt(square)
            w = (complex(slope_p, slope_q) / d).conjugate()
            j00 -= w.real * d.real / size
            j01 -= w.real * d.imag / size
            j10 -= w.imag * d.real / size
            j11 -= w.imag * d.imag / size
        add_square(pattern, block, values, a + 2, a, j00, j01, j10, j11)
        if b >= 0:
            add_square(pattern, block, values, b + 2, b, f * f * j00, f * f * j01, f * f * j10, f * f * j11)
            add_square(pattern, block, values, a + 2, b, -f * j00, -f * j01, -f * j10, -f * j11)
            add_square(pattern, block, values, b + 2, a, -f * j00, -f * j01, -f * j10, -f * j11)
        if constant:
            continue
        for e in range(row_first[k], row_first[k + 1]):
            r = matrix.row[e]
            if not inside[r]:
                continue
            slope = slope_p if rows.form[r] == ACTIVE else slope_q
            re, im = slope * d.real / size, slope * d.imag / size
            add_pair(pattern, block, values, a, rows.place[r], re, im)
            if b >= 0:
                add_pair(pattern, block, values, b, rows.place[r], -f * re, -f * im)


@compiled
def input_direction(
    matrix: MatrixColumns,
    injectors: InjectorColumns,
    rows: RowColumns,
    inside: BoolArray,
    k: int,
    share: complex,
    x: FloatArray,
    at: IntArray,
    q: FloatArray,
    count: int,
) -> int:
    """Appends the entries of q of a deviation that adds `share` to injector k; returns how many there are then. Places
    may repeat: what is there adds up."""
    a, b = injectors.fr[k], injectors.to[k]
    d = complex(x[a], x[a + 1])
    if b >= 0:
        d -= injectors.ratio[k] * complex(x[b], x[b + 1])
    current = (share / d).conjugate()
    factor = 1.0
    for end in (a, b):
        if end >= 0:
            at[count], q[count] = end + 2, factor * current.real
            at[count + 1], q[count + 1] = end + 3, factor * current.imag
            count += 2
        factor = -injectors.ratio[k]
    for e in range(matrix.row_first[k], matrix.row_first[k + 1]):
        r = matrix.row[e]
        part = share.real if rows.form[r] == ACTIVE else share.imag
        if inside[r] and part != 0.0:
            at[count], q[count] = rows.place[r], -part
            count += 1
    return count


@compiled
def _most_entries(matrix: MatrixColumns) -> int:
    """Of any injector's q."""
    most = 4
    for k in range(len(matrix.row_first) - 1):
        most = max(most, 4 + matrix.row_first[k + 1] - matrix.row_first[k])
    return most


@compiled
def _subtract_inputs(
    pattern: Pattern,
    matrix: MatrixColumns,
    injectors: InjectorColumns,
    prior: PriorColumns,
    rows: RowColumns,
    inside: BoolArray,
    x: FloatArray,
    values: FloatArray,
) -> None:
    block = matrix.block
    widest = _most_entries(matrix)
    longest = 1
    for g in range(len(prior.first) - 1):
        if matrix.near[g]:
            longest = max(longest, prior.first[g + 1] - prior.first[g])
    at = np.zeros(widest * longest, dtype=np.int64)
    q = np.zeros(widest * longest)
    fr, to, row_first = injectors.fr, injectors.to, matrix.row_first
    start, diagonal = pattern.start, pattern.diagonal
    variance_p, variance_q = prior.variance_p, prior.variance_q
    for k in range(len(fr)):
        if to[k] < 0 and row_first[k] == row_first[k + 1]:
            # Both products over lambda of one node.
            a = fr[k]
            vr, vi = x[a], x[a + 1]
            part = 1.0 / (vr * vr + vi * vi) ** 2
            vp, vq = variance_p[k] * part, variance_q[k] * part
            i = block[a]
            n = start[i + 1] - start[i]
            base = diagonal[i] + (a + 2 - start[i]) * (n + 1)
            cross = (vp - vq) * vr * vi
            values[base] -= vp * vr * vr + vq * vi * vi
            values[base + 1] -= cross
            values[base + n] -= cross
            values[base + n + 1] -= vp * vi * vi + vq * vr * vr
            continue
        p = complex(math.sqrt(variance_p[k]), 0.0)
        count = input_direction(matrix, injectors, rows, inside, k, p, x, at, q, 0)
        subtract_product(pattern, block, values, at, q, count)
        p = complex(0.0, math.sqrt(variance_q[k]))
        count = input_direction(matrix, injectors, rows, inside, k, p, x, at, q, 0)
        subtract_product(pattern, block, values, at, q, count)
    for g in range(len(prior.first) - 1):
        if not matrix.near[g]:
            continue
        count = 0
        for e in range(prior.first[g], prior.first[g + 1]):
            count = input_direction(matrix, injectors, rows, inside, prior.injector[e], prior.share[e], x, at, q, count)
        subtract_product(pattern, block, values, at, q, count)


@compiled
def _add_rows(
    pattern: Pattern,
    block: IntArray,
    rows: RowColumns,
    inside: BoolArray,
    variance: FloatArray,
    x: FloatArray,
    s: ComplexArray,
    values: FloatArray,
) -> None:
    for r in range(len(rows.form)):
        mu = rows.place[r]
        if not inside[r]:
            add_one(pattern, block, values, mu, mu, -1.0)
            continue
        add_one(pattern, block, values, mu, mu, -variance[r])
        _, phasor = row_value(rows, r, x, s)
        for e in range(rows.first[r], rows.first[r + 1]):
            if rows.y[e] == 0.0:
                continue
            if rows.form[r] <= ANGLE:
                slope = slope_of_size(rows, r, e, phasor)
            else:
                of_voltage, slope = slopes_of_power(rows, r, e, x)
                add_pair(pattern, block, values, rows.at[e], mu, of_voltage.real, of_voltage.imag)
            add_pair(pattern, block, values, rows.column[e], mu, slope.real, slope.imag)


@compiled
def assemble(
    pattern: Pattern,
    matrix: MatrixColumns,
    network: AdmittanceColumns,
    sources: SourceColumns,
    injectors: InjectorColumns,
    holds: HoldColumns,
    prior: PriorColumns,
    rows: RowColumns,
    inside: BoolArray,
    variance: FloatArray,
    x: FloatArray,
    s: ComplexArray,
    values: FloatArray,
) -> None:
    """K at the point `x` with powers `s`, into `values`; rows that are not `inside` [M] are left out."""
    values[:] = 0.0
    for a in matrix.dead:
        for c in range(a, a + 4):
            add_one(pattern, matrix.block, values, c, c, 1.0)
    _add_network(pattern, matrix.block, network, sources, values)
    _add_injectors(pattern, matrix, injectors, holds, prior, rows, inside, x, s, values)
    _subtract_inputs(pattern, matrix, injectors, prior, rows, inside, x, values)
    _add_rows(pattern, matrix.block, rows, inside, variance, x, s, values)


@compiled
def far_directions(
    matrix: MatrixColumns,
    injectors: InjectorColumns,
    prior: PriorColumns,
    rows: RowColumns,
    inside: BoolArray,
    modes: IntArray,
    x: FloatArray,
) -> FloatArray:
    """[mode, size] q of some shared deviations."""
    widest = _most_entries(matrix)
    at = np.zeros(widest, dtype=np.int64)
    q = np.zeros(widest)
    directions = np.zeros((len(modes), len(x)))
    for row in range(len(modes)):
        for e in range(prior.first[modes[row]], prior.first[modes[row] + 1]):
            k = prior.injector[e]
            count = input_direction(matrix, injectors, rows, inside, k, prior.share[e], x, at, q, 0)
            for i in range(count):
                directions[row, at[i]] += q[i]
    return directions
