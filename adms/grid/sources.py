"""Voltage sources as the numerics see them: an EMF behind an admittance, per unit."""

from dataclasses import dataclass

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import IntArray
from adms.grid.arrays import S_BASE_VA, NetworkArrays, dense


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceEquivalent:
    """One source: it drives y (emf - v) into its nodes."""

    nodes: IntArray
    """Indices of its nodes."""
    emf_pu: ComplexArray
    """[n] open-circuit phasors."""
    y_pu: ComplexArray
    """[n, n] Norton admittance."""

    def power_va(self, v_phasor_pu: ComplexArray) -> complex:
        """Power delivered into the network, all phases, VA, at node voltages [node]."""
        v = v_phasor_pu[self.nodes]
        return complex(np.sum(v * np.conj(self.y_pu @ (self.emf_pu - v))) * S_BASE_VA)


def source_equivalents(arrays: NetworkArrays) -> tuple[SourceEquivalent, ...]:
    """Every source of the model, in model order.

    Args:
        arrays: the network in solver order.
    """
    found = []
    for source, nodes in zip(arrays.model.sources, arrays.source_nodes, strict=True):
        base = arrays.v_base_v[nodes]
        found.append(
            SourceEquivalent(
                nodes=nodes,
                emf_pu=np.array(source.v_magnitude_pu) * np.exp(1j * np.array(source.v_angle_rad)),
                y_pu=dense(source.y_primitive_siemens) * np.outer(base, base) / S_BASE_VA,
            )
        )
    return tuple(found)
