"""Federations inside the test's process: each federate a thread, the broker in process, nothing on the network."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hil.cosim.plan import CosimPlan, read_cosim
from hil.plant.plant import Plant
from tests.unit.hil.bench_case import small_circuit, steady_scenario

FEEDER = {
    "federate": "feeder",
    "core": "inproc",
    "start_broker": True,
    "federates": 2,
    "period_s": 4.0,
    "fresh_within_s": 8.0,
    "grant_timeout_s": 5.0,
    "join_timeout_s": 5.0,
}
HEAD = {
    "quantity": "source_voltage",
    "publication": "grid/v_head",
    "source": "vsource.source",
    "unit": "pu",
    "form": "positive_sequence",
    "impedance": "removed",
}
IMPORT = {"quantity": "source_power", "name": "s_import", "source": "vsource.source", "form": "total"}


def feeder_plan(**changes: object) -> CosimPlan:
    table = {**FEEDER, "subscribe": [HEAD], "publish": [IMPORT], **changes}
    plan = read_cosim({"cosim": {key: value for key, value in table.items() if value is not None}})
    assert plan is not None
    return plan


def peer_plan(feeder: CosimPlan, *, name: str, broker: str) -> CosimPlan:
    """Of a federate that joins the feeder's broker."""
    bare = replace(feeder, federate=name, broker=broker, start_broker=False, federates=None)
    return replace(bare, subscribe=(), publish=(), messages=None)


def small_plant(folder: Path) -> Plant:
    """Three constant-power loads of 600 kW and 180 kvar in a row, no chance."""
    return Plant(small_circuit(folder), scenario=steady_scenario(), seed=1, coordinates={}, fault=None)


@contextmanager
def beside(run: Callable[[], object]) -> Iterator[list[BaseException]]:
    """A peer on a thread of its own; what it raised. It must be gone at the end."""
    raised: list[BaseException] = []

    def body() -> None:
        try:
            run()
        except BaseException as problem:
            raised.append(problem)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    yield raised
    thread.join(timeout=20.0)
    assert not thread.is_alive()
