"""Voltage sources as the numerics see them: an EMF behind an admittance, per unit."""

from dataclasses import dataclass

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceEquivalent:
    """One source: it drives y (emf - v) into its nodes."""

    nodes: IntArray
    """Indices of its nodes."""
    emf_pu: ComplexArray
    """[n] open-circuit phasors of the model."""
    y_pu: ComplexArray
    """[n, n] Norton admittance."""

    def power_pu(self, v_phasor_pu: ComplexArray, *, emf_pu: ComplexArray | None = None) -> complex:
        """Power delivered into the network, all phases, in S_BASE_VA.

        Args:
            v_phasor_pu: [node] of the whole network.
            emf_pu: [n] open-circuit phasors, where they are not the model's.
        """
        v = v_phasor_pu[self.nodes]
        inside = self.emf_pu if emf_pu is None else emf_pu
        return complex(np.sum(v * np.conj(self.y_pu @ (inside - v))))
