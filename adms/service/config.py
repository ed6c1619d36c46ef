"""The service's configuration file: TOML, the unit in every key, no default for anything that protects.

`reference.toml` beside this module holds a complete one. Keys that several parts share stand once: the maximum age of
telemetry in [round], the length of a lease in [gate], the limits of taps, capacitors and stored energy in [interlock],
how loads move and over which intervals meters take means in [forecast].
What a number may be is in `bounds.py`.
"""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from adms.adapters.live_store import url_problem
from adms.adapters.model_file import load_model
from adms.apps.dispatch import DispatchPolicy
from adms.apps.flisr import FlisrPolicy
from adms.apps.interlock import InterlockPolicy
from adms.apps.voltvar import VoltVarPolicy
from adms.core.errors import InputError, Problem
from adms.core.ids import ModelVersion
from adms.estimation import AgeingPolicy, EstimationPolicy, QuarantinePolicy
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.forecast import ForecastPolicy
from adms.grid.model import NetworkModel
from adms.runtime.gate_state import GatePolicy
from adms.service.bounds import order_problems
from adms.service.expected import TABLES as EXPECTED_TABLES
from adms.service.expected import forecast_policy
from adms.service.tables import Tables, read_toml

REFERENCE = Path(__file__).with_name("reference.toml")
TABLES = (
    "service",
    "round",
    "estimation",
    "ageing",
    "quarantine",
    "positions",
    *EXPECTED_TABLES,
    "flisr",
    "voltvar",
    "dispatch",
    "interlock",
    "gate",
)

# One step at a time, and the sizes of errors that nobody stated: no numbers of a feeder.
NOT_ASKED = {"tap_steps": (-1, 1), "unstated_bias_frac": (0.002, 0.005, 0.01), "by_turn": 2}


@dataclass(frozen=True, kw_only=True)
class ServiceTable:
    """[service]: what it is called, where it listens, where its files are."""

    name: str
    listen: str
    """HOST:PORT of gRPC; port 0 takes a free one."""
    metrics_listen: str
    model_file: str
    """Relative to the configuration file."""
    state_folder: str
    """Journal and embedded Valkey; relative to the configuration file, made where missing."""
    simulation: bool
    """True: time is granted over gRPC. False: the machine's clock."""
    redis_url: str | None = None
    """None: embedded Valkey."""
    epoch_floor: int = 0
    """The lowest epoch to take: above the highest that devices have seen, after a journal was lost."""
    arrival_timeout_s: float = 20.0
    """How long a grant of time waits for frames that it expects, real time."""


@dataclass(frozen=True, kw_only=True)
class RoundTable:
    """[round]: the cycle."""

    period_s: float
    good_rounds_before_control: int
    telemetry_max_age_s: float
    clock_skew_max_s: float
    waiting_frames_max: int
    events_keep_s: float
    early_gap_s: float
    """Shortest time between a round and one that an event pulls forward."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that the service needs, checked."""

    service: ServiceTable
    round: RoundTable
    estimation: EstimationPolicy
    forecast: ForecastPolicy
    positions: HypothesisPolicy | None
    """None: reported positions are not tested."""
    interlock: InterlockPolicy
    flisr: FlisrPolicy
    voltvar: VoltVarPolicy
    dispatch: DispatchPolicy
    gate: GatePolicy
    model: NetworkModel
    model_version: ModelVersion
    state_folder: Path


def load_configuration(path: Path) -> Configuration:
    """Reads and checks a configuration file and what it names. Raises InputError with every problem found."""
    tables = Tables(content=read_toml(path), problems=[])
    tables.unknown(TABLES)
    service = tables.record(ServiceTable, "service")
    cycle = tables.record(RoundTable, "round")
    gate = tables.record(GatePolicy, "gate")
    # Where a shared value is missing, its own table has said so, and the other keys are checked all the same.
    age = {"telemetry_max_age_s": None if cycle is None else cycle.telemetry_max_age_s}
    lease = {"der_lease_s": None if gate is None else gate.lease_s}
    interlock = tables.record(InterlockPolicy, "interlock", given={**age, **lease})
    forecast = forecast_policy(tables)
    moves = {
        "load_tau_s": None if forecast is None else forecast.own_fast_tau_s,
        "load_stays_share": None if forecast is None else forecast.own_level_share,
        "average_interval_s": None if forecast is None else forecast.meter_interval_s,
    }
    ageing = tables.record(AgeingPolicy, "ageing", given=moves)
    # Without its table no meter is quarantined.
    apart = "quarantine"
    quarantine = {apart: tables.record(QuarantinePolicy, apart)} if apart in tables.content else {}
    estimation = tables.record(EstimationPolicy, "estimation", given={**age, "ageing": ageing, **quarantine})
    positions = tables.record(HypothesisPolicy, "positions", given=NOT_ASKED) if "positions" in tables.content else None
    flisr = tables.record(FlisrPolicy, "flisr", given={"interlock": interlock})
    voltvar = tables.record(VoltVarPolicy, "voltvar", given={"interlock": interlock})
    dispatch = tables.record(DispatchPolicy, "dispatch", given={"interlock": interlock})
    problems = tables.problems
    problems.extend(order_problems(tables.content))
    if gate is not None:
        problems.extend(_gate_problems(gate, period_s=0.0 if cycle is None else cycle.period_s))
    loaded, folder = None, path.parent
    if service is not None:
        problems.extend(_address_problems(service))
        bad_url = "" if service.redis_url is None else url_problem(service.redis_url)
        if bad_url:
            # Not repeated: a URL may hold a password.
            problems.append(_problem("[service]", "redis_url", "", bad_url))
        unnameable = _path_problems(service)
        problems.extend(unnameable)
        if not unnameable:
            folder = path.parent / service.state_folder
            problems.extend(_folder_problems(folder))
            try:
                loaded = load_model(path.parent / service.model_file)
            except InputError as error:
                problems.extend(error.problems)
    if problems or not (
        service
        and cycle
        and gate
        and interlock
        and estimation
        and forecast
        and flisr
        and voltvar
        and dispatch
        and loaded
    ):
        raise InputError(problems)
    return Configuration(
        service=service,
        round=cycle,
        estimation=estimation,
        forecast=forecast,
        positions=positions,
        interlock=interlock,
        flisr=flisr,
        voltvar=voltvar,
        dispatch=dispatch,
        gate=gate,
        model=loaded[0],
        model_version=loaded[1],
        state_folder=folder,
    )


def split_address(address: str) -> tuple[str, int]:
    """Host and port. Raises ValueError where it is not HOST:PORT."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(address)
    return host.strip("[]"), int(port)


def _gate_problems(gate: GatePolicy, *, period_s: float) -> list[Problem]:
    found = []
    shortest_s = gate.lease_s - gate.stagger_s
    if shortest_s <= gate.renew_s:
        message = f"must be above stagger_s + renew_s, {gate.stagger_s + gate.renew_s}, or leases are born too old"
        found.append(_problem("[gate]", "lease_s", str(gate.lease_s), message))
    if gate.renew_s < 2.0 * period_s:
        message = f"must be at least two periods, {2.0 * period_s}, or one lost round lets leases lapse"
        found.append(_problem("[gate]", "renew_s", str(gate.renew_s), message))
    return found


def _address_problems(service: ServiceTable) -> list[Problem]:
    found = []
    for field, address in (("listen", service.listen), ("metrics_listen", service.metrics_listen)):
        try:
            host, port = split_address(address)
        except ValueError:
            found.append(_problem("[service]", field, address, "must be HOST:PORT"))
            continue
        busy = _busy(host, port)
        if busy:
            found.append(_problem("[service]", field, address, f"cannot listen there: {busy}"))
    if service.listen == service.metrics_listen and not service.listen.endswith(":0"):
        found.append(_problem("[service]", "metrics_listen", service.metrics_listen, "is that of listen, too"))
    return found


def _busy(host: str, port: int) -> str:
    """Why a socket cannot listen; empty where it can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _path_problems(service: ServiceTable) -> list[Problem]:
    paths = (("model_file", service.model_file), ("state_folder", service.state_folder))
    message = "holds a NUL character; no file has that in its name"
    return [_problem("[service]", field, repr(path), message) for field, path in paths if "\0" in path]


def _folder_problems(folder: Path) -> list[Problem]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot be made: {error.strerror}"
        return [_problem("[service]", "state_folder", str(folder), message)]
    if not os.access(folder, os.W_OK | os.X_OK):
        return [_problem("[service]", "state_folder", str(folder), "cannot be written")]
    return []


def _problem(element: str, field: str, value: str, message: str) -> Problem:
    return Problem(element=element, field=field, value=value, message=message)
