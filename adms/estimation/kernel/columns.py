"""What compiled code reads, as flat columns.

Every unknown has a place in the order of elimination. A phasor occupies two places one after the other (Re, Im), and a
node four: V, then the multiplier lambda of its current balance. A row's multiplier mu has one, an open-circuit voltage
E two.
"""

from typing import NamedTuple

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import BoolArray


class AdmittanceColumns(NamedTuple):
    """Y + Y_s over all nodes, for the matrix."""

    place: IntArray
    """[node] of its V."""
    first: IntArray
    """[node + 1] where a node's entries start."""
    column: IntArray
    """[entry] place of the other V."""
    y: ComplexArray
    """[entry]"""


class NetworkColumns(NamedTuple):
    """The same over the nodes that are left when idle ones are eliminated, for the gradient. Nothing is injected or
    metered at an idle node: its voltage follows from those around it, and its multiplier is not asked for."""

    place: IntArray
    """[node] of its V."""
    first: IntArray
    """[node + 1] where a node's entries start."""
    column: IntArray
    """[entry] place of the other V."""
    against: IntArray
    """[entry] place of the V that is subtracted first, -1 where none is: through a short line or a closed switch flows
    what two nearly equal voltages differ by."""
    y: ComplexArray
    """[entry] of the matrix, with sources."""
    flow: ComplexArray
    """[entry] the same for currents, without sources: a node's entry with itself holds what those of its row add up
    to."""


class SourceColumns(NamedTuple):
    """Sources and what is believed of their open-circuit voltages E."""

    node: IntArray
    """[entry] place of V."""
    emf: IntArray
    """[entry] place of E."""
    other: IntArray
    """[entry] place of V at the terminal of that E."""
    y: ComplexArray
    """[entry] Y_s"""
    place: IntArray
    """[m] of E."""
    mean: ComplexArray
    """[m] of E."""
    w_re: FloatArray
    """[m] second derivatives of the cost: (Re, Re), (Re, Im), (Im, Im)."""
    w_cross: FloatArray
    w_im: FloatArray


class InjectorColumns(NamedTuple):
    """Live loads and DER."""

    fr: IntArray
    """[k] place of V."""
    to: IntArray
    """[k] place of V, -1 at ground."""
    ratio: FloatArray
    """[k] voltage across = V_fr - ratio V_to."""
    scale: FloatArray
    """[k] from voltage across to per unit of its nominal one."""
    law: FloatArray
    """[k, LAW_COLUMNS]"""
    lowest: FloatArray
    """[k] from this square of the voltage across it,"""
    highest: FloatArray
    """up to this one its powers are constant."""


class HoldColumns(NamedTuple):
    """Injectors near a corner of their law, whose slope goes evenly from one side's to the other's within a width
    (`adms.estimation.limits`)."""

    weight: FloatArray
    """[k] half of what the slopes' pulls on the voltage differ by, over the width; 0 where no corner is rounded."""
    size: FloatArray
    """[k] where the corner is: magnitude of the voltage across, per unit of the `fr` node."""
    force: FloatArray
    """[k] half of what they differ by."""


class PriorColumns(NamedTuple):
    """What is believed of their powers, S_BASE_VA."""

    mean: ComplexArray
    """[k] at nominal voltage."""
    variance_p: FloatArray
    """[k] of the own part."""
    variance_q: FloatArray
    keep_p: FloatArray
    """[k] 1 where nothing is known of P: the variance is then how far one step may go, and the step starts from where
    the last one ended; 0 elsewhere, where it starts from the mean."""
    keep_q: FloatArray
    first: IntArray
    """[mode + 1] where a shared mode's entries start."""
    injector: IntArray
    """[entry]"""
    share: ComplexArray
    """[entry] what the mode adds when it is 1."""


class MatrixColumns(NamedTuple):
    """Where things stand in K beyond the columns of the gradient."""

    block: IntArray
    """[place] block."""
    dead: IntArray
    """Places of V at nodes that have no voltage."""
    row_first: IntArray
    """[k + 1] where the rows that measure an injector's power start."""
    row: IntArray
    """[entry] row."""
    near: BoolArray
    """[mode] True where a shared mode is in K."""


class RowColumns(NamedTuple):
    """Measurements."""

    form: IntArray
    """[M]"""
    place: IntArray
    """[M] of mu."""
    first: IntArray
    """[M + 1] where a row's terms start."""
    at: IntArray
    """[term] place of V, -1 where the form needs none."""
    column: IntArray
    """[term] place of V or E."""
    y: ComplexArray
    """[term]; 0 at dead nodes."""
    input_first: IntArray
    """[M + 1]"""
    inputs: IntArray
    """[input] live injector; -1 where dead."""


class ReadingColumns(NamedTuple):
    """What the meters say in one scan, per unit."""

    z: FloatArray
    """[M] 0 where not in use."""
    variance: FloatArray
    """[M] 1 where not in use."""
    use: BoolArray
    """[M]"""
