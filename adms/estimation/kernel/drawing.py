"""The columns of a picture, compiled: one pass over the nodes, the sources and the points."""

from typing import NamedTuple

from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.kernel.columns import SourceColumns
from adms.grid.arrays import BoolArray


class Labels(NamedTuple):
    """`SigmaSource` as numbers."""

    measured: int
    estimated: int
    pseudo: int
    unobservable: int
    dead: int


@compiled
def draw_nodes(
    labels: Labels,
    x: FloatArray,
    place: IntArray,
    solved: BoolArray,
    determined: BoolArray,
    sigma_v_pu: FloatArray,
    largest_sigma_pu: float,
    metered: IntArray,
    meter: IntArray,
    use: BoolArray,
    v: ComplexArray,
    label: IntArray,
) -> int:
    """Fills voltages and what they rest on. Returns how many nodes nothing holds.

    Args:
        labels: as numbers.
        x: [size] the optimum.
        place: [node] of V.
        solved: [node] False where dead.
        determined: [node] by telemetry alone.
        sigma_v_pu: [node]
        largest_sigma_pu: of a node that something holds.
        metered: [meter] node of each voltage meter.
        meter: [meter] its row.
        use: [M]
        v: [node] out
        label: [node] out
    """
    for i in range(len(place)):
        v[i] = complex(x[place[i]], x[place[i] + 1])
        label[i] = labels.estimated if determined[i] else labels.pseudo
    for i in range(len(meter)):
        if use[meter[i]]:
            label[metered[i]] = labels.measured
    lost = 0
    for i in range(len(place)):
        if not solved[i]:
            label[i] = labels.dead
        elif sigma_v_pu[i] > largest_sigma_pu:
            label[i] = labels.unobservable
            lost += 1
    return lost


@compiled
def draw_powers(
    sources: SourceColumns,
    owner: IntArray,
    x: FloatArray,
    injectors: IntArray,
    s_pu: ComplexArray,
    base_va: float,
    delivered: ComplexArray,
    injected: ComplexArray,
) -> float:
    """Fills powers, and returns what of them is lost in the network, W.

    Args:
        sources: admittances of the live ones.
        owner: [size] source of each place of an open-circuit voltage.
        x: [size] the optimum.
        injectors: [k] the live ones.
        s_pu: [k] their powers.
        base_va: of `s_pu` and the admittances.
        delivered: [source] zeros; out: into the network, by the estimated open-circuit voltages, VA.
        injected: [injector] zeros; out: VA.
    """
    for i in range(len(sources.node)):
        a, b, c = sources.node[i], sources.emf[i], sources.other[i]
        current = sources.y[i] * complex(x[b] - x[c], x[b + 1] - x[c + 1])
        delivered[owner[b]] += base_va * (complex(x[a], x[a + 1]) * current.conjugate())
    lost = 0.0
    for k in range(len(injectors)):
        injected[injectors[k]] = base_va * s_pu[k]
        lost += base_va * s_pu[k].real
    for i in range(len(delivered)):
        lost += delivered[i].real
    return lost


@compiled
def draw_points(
    at: IntArray,
    unit: FloatArray,
    residual: FloatArray,
    deviation: FloatArray,
    normalized: FloatArray,
    critical: BoolArray,
    columns: FloatArray,
    is_critical: BoolArray,
) -> None:
    """From per unit of rows to SI of points.

    Args:
        at: [M] point of each row.
        unit: [M] SI per unit.
        residual: [M]
        deviation: [M]
        normalized: [M]
        critical: [M]
        columns: [3, point] out: residual, its deviation, the normalised one; left as they are where no row is.
        is_critical: [point] out
    """
    for r in range(len(at)):
        columns[0, at[r]] = residual[r] * unit[r]
        columns[1, at[r]] = deviation[r] * unit[r]
        columns[2, at[r]] = normalized[r]
        is_critical[at[r]] = critical[r]


@compiled
def oldest_of(age_s: FloatArray, use: BoolArray) -> float:
    """Largest of the ages in use; 0 where none is."""
    oldest = 0.0
    for r in range(len(age_s)):
        if use[r] and age_s[r] > oldest:
            oldest = age_s[r]
    return oldest
