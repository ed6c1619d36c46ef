"""Our place in a federation: the broker, joining, grants that come or end the run, leaving."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

from hil.cosim.library import CosimError, helics, in_words
from hil.cosim.plan import Core, CosimPlan
from hil.cosim.watchdog import Watchdog

_NUMBER = count(1)
_TINY_S = 1e-9
"""HELICS counts nanoseconds."""
_QUIET = "--loglevel=no_print --terminate_on_error"
_LOST_AFTER = "--tick=1s"
"""HELICS takes a peer for lost that is silent for two of these."""
_ERROR_CODE = 1
_NO_PRINT = -4


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Membership:
    """One federate, and the broker where the plan says to start it. `h` is the HELICS library, `federate` its object:
    publications and the like are registered on it before `enter`."""

    def __init__(self, plan: CosimPlan, *, woken: bool = False) -> None:
        """Connects to the broker. `woken`: a message is a reason for an earlier grant (`wake_by`). Raises InputError
        without HELICS, CosimError where there is no broker."""
        self.h: Any = helics()
        self._plan, self._woken = plan, woken
        self._broker: Any = None
        self._left = self._ended = False
        self.time_s = 0.0
        """Granted."""
        self.watchdog = Watchdog()
        try:
            self.broker = self._start_broker() if plan.start_broker else str(plan.broker)
            """Its address, for others to join."""
            self.federate: Any = self._connect()
        except Exception as refused:
            self.leave()
            if isinstance(refused, self.h.HelicsException):
                raise CosimError(f"{plan.federate} cannot join at {plan.broker}: {in_words(refused)}") from refused
            raise

    def _start_broker(self) -> str:
        plan, h = self._plan, self.h
        # A broker of a run before may not be quite gone yet; nobody is to find it under the same name.
        name = f"{plan.federate}_broker_{next(_NUMBER)}"
        arguments = f"-f {plan.federates} {_QUIET} {_LOST_AFTER}"
        address = name
        if plan.core is not Core.INPROC:
            port = _free_port()
            arguments += f" --localport={port}"
            address = f"127.0.0.1:{port}" if plan.core in (Core.TCP, Core.TCP_SS) else f"tcp://127.0.0.1:{port}"
        self._broker = h.helicsCreateBroker(plan.core.value, name, arguments)
        if not h.helicsBrokerIsConnected(self._broker):
            raise CosimError(f"the broker of {plan.federate} did not start at {address}")
        return address

    def _connect(self) -> Any:
        plan, h = self._plan, self.h
        about = h.helicsCreateFederateInfo()
        timeout_ms = round(plan.join_timeout_s * 1e3)
        h.helicsFederateInfoSetCoreTypeFromString(about, plan.core.value)
        h.helicsFederateInfoSetCoreName(about, f"{plan.federate}_core_{next(_NUMBER)}")
        h.helicsFederateInfoSetCoreInitString(
            about, f"--broker={self.broker} {_QUIET} {_LOST_AFTER} --networkretries=1 --networktimeout={timeout_ms}ms"
        )
        # No grant before the time asked for, and an error of anybody is the end for all.
        h.helicsFederateInfoSetFlagOption(about, h.HELICS_FLAG_UNINTERRUPTIBLE, not self._woken)
        h.helicsFederateInfoSetFlagOption(about, h.HELICS_FLAG_TERMINATE_ON_ERROR, True)
        h.helicsFederateInfoSetIntegerProperty(about, h.HELICS_PROPERTY_INT_LOG_LEVEL, _NO_PRINT)
        h.helicsFederateInfoSetIntegerProperty(about, h.HELICS_PROPERTY_INT_CONSOLE_LOG_LEVEL, _NO_PRINT)
        if plan.iterations_max:
            # More than ours: it is us who stop, and say so.
            h.helicsFederateInfoSetIntegerProperty(
                about, h.HELICS_PROPERTY_INT_MAX_ITERATIONS, 10 * plan.iterations_max
            )
        return h.helicsCreateCombinationFederate(plan.federate, about)

    # ---- time -----------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """Wait for the others, then begin at 0 s. Raises CosimError where they do not come, or nobody publishes what is
        subscribed to."""
        plan, h = self._plan, self.h
        what = f"the federation did not come together within join_timeout_s = {plan.join_timeout_s:g}"
        with self._within(plan.join_timeout_s, what=what):
            h.helicsFederateEnterInitializingMode(self.federate)
            unknown = self._unknown_publications()
        if unknown:
            reason = f"nobody publishes {', '.join(unknown)}, which {plan.federate} subscribes to"
            self.fail(reason)
            raise CosimError(reason)
        with self._within(plan.join_timeout_s, what=what):
            h.helicsFederateEnterExecutingMode(self.federate)
        if h.helicsFederateGetState(self.federate) != h.HELICS_STATE_EXECUTION:
            raise CosimError("the co-simulation ended as it began: a peer ended or was lost")

    def grant(self, time_s: float) -> None:
        """Ask for a time and wait for it. Raises CosimError where it does not come, with the reason."""
        with self._within(self._plan.grant_timeout_s, what=self._no_grant(time_s)):
            granted_s = float(self.h.helicsFederateRequestTime(self.federate, time_s))
        self._granted(granted_s, asked_s=time_s)

    def wake_by(self, time_s: float) -> None:
        """Wait for a time, or for a message before it. Raises CosimError as `grant` does."""
        with self._within(self._plan.grant_timeout_s, what=self._no_grant(time_s)):
            granted_s = float(self.h.helicsFederateRequestTime(self.federate, time_s))
        self._granted(granted_s, asked_s=min(granted_s, time_s))

    def iterate(self, time_s: float) -> bool:
        """Ask for a time unless others have something new for the present one: True where they had. Raises CosimError
        as `grant` does."""
        h = self.h
        with self._within(self._plan.grant_timeout_s, what=self._no_grant(time_s)):
            granted_s, result = h.helicsFederateRequestTimeIterative(
                self.federate, time_s, h.HELICS_ITERATION_REQUEST_ITERATE_IF_NEEDED
            )
        if result == h.HELICS_ITERATION_RESULT_ITERATING:
            return True
        self._granted(float(granted_s), asked_s=time_s)
        return False

    def _granted(self, granted_s: float, *, asked_s: float) -> None:
        if abs(granted_s - asked_s) > _TINY_S:
            self._ended = True
            raise CosimError(f"asked for {asked_s:g} s, granted {granted_s:g} s: the federation has ended or halted")
        self.time_s = asked_s

    def _no_grant(self, time_s: float) -> str:
        timeout_s = self._plan.grant_timeout_s
        return f"no grant of {time_s:g} s within grant_timeout_s = {timeout_s:g}: a peer is stuck or waits for us"

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Publishing, sending, reading: CosimError, with the reason, where the federation ended meanwhile."""
        try:
            yield
        except self.h.HelicsException as refused:
            self._ended = True
            # The refusal only says that it is over; the next request says why.
            reason = in_words(refused)
            try:
                self.h.helicsFederateRequestTime(self.federate, self.time_s)
            except self.h.HelicsException as ended:
                reason = in_words(ended)
            raise CosimError(f"the co-simulation ended after {self.time_s:g} s: a peer ended it: {reason}") from refused

    # ---- ends -----------------------------------------------------------------------------------------------

    def fail(self, reason: str) -> None:
        """End the co-simulation for all of them."""
        self._ended = True
        with suppress(self.h.HelicsException):
            self.h.helicsFederateGlobalError(self.federate, _ERROR_CODE, reason)

    def leave(self) -> None:
        """Disconnect; a broker that was started here waits for the others to leave, as long as one grant may take, and
        not at all after an error. May be called again."""
        if self._left:
            return
        self._left = True
        h = self.h
        if getattr(self, "federate", None) is not None:
            with suppress(h.HelicsException), self.watchdog.guard(self._plan.grant_timeout_s, bite=self._cut_off):
                h.helicsFederateDisconnect(self.federate)
        if self._broker is not None:
            with suppress(h.HelicsException):
                if not self._ended:
                    h.helicsBrokerWaitForDisconnect(self._broker, round(self._plan.grant_timeout_s * 1e3))
                h.helicsBrokerDisconnect(self._broker)
        self.watchdog.close()

    def _cut_off(self) -> None:
        """Let go without the others' consent."""
        with suppress(self.h.HelicsException):
            self.h.helicsCoreDisconnect(self.h.helicsFederateGetCore(self.federate))

    @contextmanager
    def _within(self, timeout_s: float, *, what: str) -> Iterator[None]:
        with self.watchdog.guard(timeout_s, bite=lambda: self.fail(what)) as guarded:
            try:
                yield
            except self.h.HelicsException as ended:
                self._ended = True
                reason = what if guarded.bitten else f"a peer ended it: {in_words(ended)}"
                raise CosimError(f"the co-simulation ended after {self.time_s:g} s: {reason}") from ended
        if guarded.bitten:
            raise CosimError(f"the co-simulation ended after {self.time_s:g} s: {what}")

    def present(self, name: str) -> bool:
        """Whether a federate of this name takes part now."""
        return self._ask(name, "isconnected") is True

    def _unknown_publications(self) -> list[str]:
        answer = self._ask("root", "unconnected_interfaces")
        unknown = answer.get("unknown_publications", []) if isinstance(answer, dict) else []
        return sorted({one.publication for one in self._plan.subscribe} & set(unknown))

    def _ask(self, whom: str, what: str) -> Any:
        query = self.h.helicsCreateQuery(whom, what)
        try:
            return self.h.helicsQueryExecute(query, self.federate)
        finally:
            self.h.helicsQueryFree(query)
