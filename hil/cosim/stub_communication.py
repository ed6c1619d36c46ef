"""A network that delays everything by the same time, for tests and as an example to copy.

Messages that leave the given endpoints are rerouted to one of its own, and sent on to where they were meant to go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hil.cosim.library import CosimError
from hil.cosim.membership import Membership
from hil.cosim.plan import CosimPlan


class DelayFederate:
    """Holds what leaves `endpoints` up by `delay_s`, exactly."""

    def __init__(self, plan: CosimPlan, *, endpoints: Sequence[str], delay_s: float) -> None:
        """`plan` is its own: another federate's name, nothing published or subscribed."""
        self._delay_s = delay_s
        self.membership = Membership(plan, woken=True)
        h, federate = self.membership.h, self.membership.federate
        self._network: Any = h.helicsFederateRegisterGlobalEndpoint(federate, f"{plan.federate}/network", "")
        reroute = h.helicsFederateRegisterFilter(federate, h.HELICS_FILTER_TYPE_REROUTE, "reroute")
        h.helicsFilterSetString(reroute, "newdestination", f"{plan.federate}/network")
        for endpoint in endpoints:
            h.helicsFilterAddSourceTarget(reroute, endpoint)

    def run(self, duration_s: float) -> None:
        """Take part until a time, then leave; what is sent at that time is not its any more, so it lies after the
        feeder's last scan. Raises CosimError."""
        membership = self.membership
        try:
            membership.enter()
            while membership.time_s < duration_s:
                membership.wake_by(duration_s)
                self._send_on()
        except CosimError as ended:
            membership.fail(str(ended))
            raise
        finally:
            membership.leave()

    def _send_on(self) -> None:
        h = self.membership.h
        while h.helicsEndpointHasMessage(self._network):
            message = h.helicsEndpointGetMessage(self._network)
            h.helicsEndpointSendBytesToAt(
                self._network,
                bytes(h.helicsMessageGetBytes(message)),
                h.helicsMessageGetOriginalDestination(message),
                h.helicsMessageGetTime(message) + self._delay_s,
            )
