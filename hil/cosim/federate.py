"""The feeder as a value federate: it takes source voltages, frequency, price and limit; it gives powers and voltages.

One exchange a period: what the feeder is at the end of a period goes out, the grant of the next comes, and what was
received by then holds through it. The answer of a peer whose instants lie between ours (offset by half a period, say)
holds in the very next period, that of a peer with the same instants in the one after. With iterations the exchange is
repeated at the end of the period, no time passing, until no source's voltage moves any more; the loads are those of
that instant. Either way a source's voltage stands still through a period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from hil.cosim.library import CosimError, publish_phasors
from hil.cosim.membership import Membership
from hil.cosim.plan import CosimPlan, Form, Given, Published, SourceImpedance, Subscribed, Told, Unit, check_against
from hil.cosim.sequence import positive_sequence, unbalance_frac
from hil.plant.plant import Plant

_V_LEAST_PU, _V_MOST_PU = 0.1, 2.0
_F_LEAST_HZ, _F_MOST_HZ = 30.0, 90.0
_TINY_S = 1e-6


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One period as the feeder had it."""

    time_s: float
    """Granted: the end of the period."""
    v_phasor_pu: dict[str, complex]
    """Voltage of each source through it, so far as one was given."""
    s_source_va: dict[str, complex]
    """What each source that is published delivered when it began, positive into the feeder."""
    iterations: int
    at_rest: bool
    """False where the iterations ended before the voltages came to rest."""


@dataclass(kw_only=True)
class _Input:
    plan: Subscribed
    handle: Any
    updated_s: float = 0.0


class PlantFederate:
    """The feeder's place in a federation. `advance` once a scan, before the plant's own."""

    def __init__(self, plan: CosimPlan, *, plant: Plant, scan_s: float, membership: Membership | None = None) -> None:
        """Joins, without waiting for others. Raises InputError for what the feeder does not have, CosimError where the
        broker does not answer."""
        check_against(plan, plant, scan_s=scan_s)
        self._plan = plan
        self.membership = membership or Membership(plan)
        """Its `broker` is the address for others."""
        self.exchanges: list[Exchange] = []
        self.import_max_w: float | None = None
        """As last ordered; None: not yet."""
        self.price_per_mwh: float | None = None
        self._v_pu: dict[str, complex] = {}
        h, federate = self.membership.h, self.membership.federate
        self._inputs = [
            _Input(plan=one, handle=h.helicsFederateRegisterSubscription(federate, one.publication, ""))
            for one in plan.subscribe
        ]
        self._outputs = [(one, self._register(one)) for one in plan.publish]
        for one in plan.subscribe:
            if one.source is not None and one.impedance is SourceImpedance.REMOVED:
                plant.remove_source_impedance(one.source)

    def _register(self, one: Published) -> Any:
        h = self.membership.h
        kind, unit = {
            Told.SOURCE_POWER: (
                h.HELICS_DATA_TYPE_COMPLEX if one.form is Form.TOTAL else h.HELICS_DATA_TYPE_COMPLEX_VECTOR,
                "VA",
            ),
            Told.BUS_VOLTAGE: (h.HELICS_DATA_TYPE_COMPLEX_VECTOR, "V"),
            Told.CUSTOMERS_OFF: (h.HELICS_DATA_TYPE_INT, ""),
        }[one.quantity]
        name = f"{self._plan.federate}/{one.name}"
        return h.helicsFederateRegisterGlobalPublication(self.membership.federate, name, kind, unit)

    def join(self) -> None:
        """Wait for the others. Raises CosimError where they do not come within `join_timeout_s`, or nobody publishes
        what is subscribed to."""
        self.membership.enter()

    def close(self) -> None:
        """Leave; the others may go on."""
        self.membership.leave()

    # ---- one period -----------------------------------------------------------------------------------------

    def advance(self, now_s: float, plant: Plant) -> bool:
        """Take the feeder to the door of a time: publish it as it stands, wait for the grant, set what was received.
        The plant's own `advance(now_s)` comes next. False where the period is not over yet and nothing was done.

        Raises CosimError where a peer ended, was lost, is stuck, or sent what the plant cannot be given."""
        period_s = self._plan.period_s
        if now_s < round(self.membership.time_s / period_s) * period_s + period_s - _TINY_S:
            return False
        with self.membership.speaking():
            s_va = self._publish(plant)
            iterations, at_rest = self._grant(now_s, plant)
        self._check_age(now_s)
        self.exchanges.append(
            Exchange(
                time_s=now_s, v_phasor_pu=dict(self._v_pu), s_source_va=s_va, iterations=iterations, at_rest=at_rest
            )
        )
        return True

    def _grant(self, now_s: float, plant: Plant) -> tuple[int, bool]:
        """How many exchanges there were at the instant before the grant, and whether they came to rest."""
        membership, plan = self.membership, self._plan
        iterations, at_rest = 0, not plan.iterations_max
        while iterations < plan.iterations_max:
            if not membership.iterate(now_s):
                # Nobody has anything new.
                self._receive(now_s, plant)
                return iterations, True
            iterations += 1
            moved_pu = self._receive(membership.time_s, plant)
            at_rest = moved_pu <= (plan.tolerance_pu or 0.0)
            if not at_rest:
                plant.solve_again()
                self._publish(plant)
        membership.grant(now_s)
        self._receive(now_s, plant)
        return iterations, at_rest

    def _publish(self, plant: Plant) -> dict[str, complex]:
        h = self.membership.h
        delivered: dict[str, complex] = {}
        for one, handle in self._outputs:
            match one.quantity:
                case Told.SOURCE_POWER:
                    assert one.source is not None
                    phases = len(plant.circuit.topology.source_nodes[one.source])
                    s_va = -plant.flow(one.source, side=0)[1][:phases]
                    delivered[one.source] = complex(s_va.sum())
                    if one.form is Form.TOTAL:
                        h.helicsPublicationPublishComplex(handle, delivered[one.source])
                    else:
                        publish_phasors(h, handle, s_va.tolist())
                case Told.BUS_VOLTAGE:
                    nodes = [node for node in plant.circuit.nodes if node[0] == one.bus]
                    nodes.sort(key=lambda node: node[1])
                    publish_phasors(h, handle, plant.phasor_v(nodes).tolist())
                case Told.CUSTOMERS_OFF:
                    h.helicsPublicationPublishInteger(handle, plant.customers_off())
        return delivered

    # ---- what comes in --------------------------------------------------------------------------------------

    def _receive(self, time_s: float, plant: Plant) -> float:
        """Set what is new; by how much a source's voltage moved at most, pu."""
        h = self.membership.h
        moved_pu = 0.0
        for one in self._inputs:
            if not h.helicsInputIsUpdated(one.handle):
                continue
            one.updated_s = time_s
            if one.plan.quantity is Given.SOURCE_VOLTAGE:
                moved_pu = max(moved_pu, self._take_voltage(one, plant))
            else:
                self._take_number(one.plan, float(h.helicsInputGetDouble(one.handle)), plant)
        return moved_pu

    def _take_voltage(self, one: _Input, plant: Plant) -> float:
        h, plan = self.membership.h, one.plan
        source = plan.source
        assert source is not None
        base_v = plant.source_base_v(source) if plan.unit is Unit.V else 1.0
        if plan.form is Form.PER_PHASE:
            v_pu = self._of_phases(plan, h.helicsInputGetComplexVector(one.handle), plant) / base_v
        else:
            v_pu = complex(h.helicsInputGetComplex(one.handle)) / base_v
        if not _V_LEAST_PU <= abs(v_pu) <= _V_MOST_PU:  # nor NaN
            self._refuse(plan, f"{abs(v_pu):.4g} pu: outside {_V_LEAST_PU} to {_V_MOST_PU} (unit = {plan.unit})")
        before = self._v_pu.get(source)
        self._v_pu[source] = v_pu
        plant.set_source(source, v_phasor_pu=v_pu)
        return abs(v_pu - before) if before is not None else float("inf")

    def _of_phases(self, plan: Subscribed, v: Sequence[complex], plant: Plant) -> complex:
        count = len(plant.circuit.topology.source_nodes[str(plan.source)])
        if len(v) != count:
            self._refuse(plan, f"{len(v)} phases; the source has {count}")
        if count != 3:
            return complex(v[0])
        found = unbalance_frac(v)
        if not found <= (plan.unbalance_max_frac or 0.0) + 1e-12:
            self._refuse(plan, f"unbalance of {found:.2%}: over unbalance_max_frac = {plan.unbalance_max_frac}")
        return positive_sequence(v)

    def _take_number(self, plan: Subscribed, value: float, plant: Plant) -> None:
        match plan.quantity:
            case Given.FREQUENCY_HZ:
                if not _F_LEAST_HZ <= value <= _F_MOST_HZ:
                    self._refuse(plan, f"{value:.6g} Hz: outside {_F_LEAST_HZ:g} to {_F_MOST_HZ:g}")
                plant.f_hz = value
            case Given.IMPORT_MAX_W:
                if not (isfinite(value) and value >= 0.0):
                    self._refuse(plan, f"{value} W: must be a number from 0 on")
                self.import_max_w = value
            case Given.PRICE_PER_MWH:
                if not isfinite(value):
                    self._refuse(plan, f"{value}: must be a number")
                self.price_per_mwh = value
            case Given.SOURCE_VOLTAGE:
                raise AssertionError("taken elsewhere")

    def _check_age(self, now_s: float) -> None:
        oldest = self._plan.fresh_within_s
        for one in self._inputs:
            age_s = now_s - one.updated_s
            if age_s > oldest + _TINY_S:
                why = f"silent for {age_s:g} s, over fresh_within_s = {oldest:g}: its federate finished or says nothing"
                self._refuse(one.plan, why)

    def _refuse(self, plan: Subscribed, why: str) -> None:
        reason = f"{plan.publication} ({plan.quantity}): {why}"
        self.membership.fail(reason)
        raise CosimError(f"the co-simulation ended after {self.membership.time_s:g} s: {reason}")
