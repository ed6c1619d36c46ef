"""A transmission system of one bus: a stiff voltage behind an impedance, for tests and as an example to copy.

It solves E = V + Z conj(S / V) for the power that the feeder takes, in per unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hil.cosim.library import CosimError
from hil.cosim.membership import Membership
from hil.cosim.plan import CosimPlan

_MOST_ITERATIONS = 1000


@dataclass(frozen=True, kw_only=True)
class Thevenin:
    """The system as the feeder's head sees it."""

    e_pu: float
    z_pu: complex
    """On `s_base_va`."""
    s_base_va: float
    """Of three phases."""

    def head(self, s_va: complex) -> complex:
        """Voltage at the feeder's head, pu, its angle against E's, when it takes `s_va`. The upper root of
        u² + (2 Re(conj(Z) S) - E²) u + |Z S|² = 0 in u = |V|². Raises CosimError where it has none."""
        s = s_va / self.s_base_va
        half = (self.e_pu**2 - 2.0 * (self.z_pu.conjugate() * s).real) / 2.0
        root = half**2 - abs(self.z_pu * s) ** 2
        if not (root >= 0.0 and half > 0.0):
            raise CosimError(f"the transmission system cannot deliver {s_va / 1e6:.4g} MVA: its voltage collapses")
        u = half + root**0.5
        return complex((u + self.z_pu.conjugate() * s) / self.e_pu)


class TheveninFederate:
    """Publishes `<federate>/v_head` (complex pu) and `<federate>/f_hz`; subscribes to one complex power."""

    def __init__(
        self,
        plan: CosimPlan,
        *,
        system: Thevenin,
        power: str,
        offset_s: float = 0.0,
        f_hz: Callable[[float], float] = lambda t: 60.0,
    ) -> None:
        """`plan` is its own: another federate's name, nothing published or subscribed. `power` is the publication of
        the feeder's import. `offset_s` puts its instants between the feeder's."""
        self._plan, self._system, self._offset_s, self._f_hz = plan, system, offset_s, f_hz
        self.membership = Membership(plan)
        h, federate = self.membership.h, self.membership.federate
        name = plan.federate
        self._v: Any = h.helicsFederateRegisterGlobalPublication(
            federate, f"{name}/v_head", h.HELICS_DATA_TYPE_COMPLEX, "pu"
        )
        self._f: Any = h.helicsFederateRegisterGlobalPublication(
            federate, f"{name}/f_hz", h.HELICS_DATA_TYPE_DOUBLE, "Hz"
        )
        self._s: Any = h.helicsFederateRegisterSubscription(federate, power, "")
        self._v_pu = complex(system.e_pu)

    def run(self, duration_s: float) -> None:
        """Take part until a time, then leave. Raises CosimError."""
        membership, plan = self.membership, self._plan
        try:
            membership.enter()
            k = 0
            while (time_s := self._offset_s + k * plan.period_s) <= duration_s + 1e-9:
                if time_s > 0.0:
                    self._reach(time_s)
                self._answer()
                k += 1
        except CosimError as ended:
            membership.fail(str(ended))
            raise
        finally:
            membership.leave()

    def _reach(self, time_s: float) -> None:
        if not self._plan.iterations_max:
            self.membership.grant(time_s)
            return
        for _ in range(_MOST_ITERATIONS):
            if not self.membership.iterate(time_s):
                return
            self._answer()
        raise CosimError(f"no rest in {_MOST_ITERATIONS} iterations at {self.membership.time_s:g} s")

    def _answer(self) -> None:
        h = self.membership.h
        if h.helicsInputIsUpdated(self._s):
            v_pu = self._system.head(complex(h.helicsInputGetComplex(self._s)))
            if self._plan.iterations_max and abs(v_pu - self._v_pu) <= (self._plan.tolerance_pu or 0.0):
                return
            self._v_pu = v_pu
        h.helicsPublicationPublishComplex(self._v, self._v_pu)
        h.helicsPublicationPublishDouble(self._f, self._f_hz(self.membership.time_s))
