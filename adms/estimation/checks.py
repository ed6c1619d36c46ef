"""What an estimate is made of, looked at before it is made: lengths, types, and numbers that can mean nothing.

Telemetry that cannot be read is an expected condition: there is no picture then, and the reason says why. A prior comes
from our own code or a configuration: a wrong one is refused with everything that is wrong with it. Single values of
telemetry are the business of `adms.estimation.readings`.
"""

from collections.abc import Iterator

import numpy as np

from adms.core.errors import InputError, Problem
from adms.core.telemetry import IntArray, TelemetrySnapshot
from adms.estimation.prior import LoadPrior
from adms.grid.arrays import NetworkArrays

LARGEST_VA = 1e13
"""No power is larger: a finite number beyond is a slip, and its square would be the end of the arithmetic."""
_NAMED = 5
_FLOAT = np.dtype(np.float64)


def unreadable(snapshot: TelemetrySnapshot, *, arrays: NetworkArrays) -> str | None:
    """Why no estimate can be made of a snapshot; None where it can. Takes some microseconds.

    Args:
        snapshot: the telemetry of one instant.
        arrays: the network that it is said to be of.
    """
    if snapshot.model_version != arrays.version:
        return f"the snapshot is of model {snapshot.model_version}, the network of {arrays.version}"
    shape = (len(snapshot.table.keys),)
    value, sigma, age_s, quality = snapshot.value, snapshot.sigma, snapshot.age_s, snapshot.quality
    if (
        all(isinstance(one, np.ndarray) and one.shape == shape and one.dtype is _FLOAT for one in (value, sigma, age_s))
        and isinstance(quality, np.ndarray)
        and quality.shape == shape
        and quality.dtype.kind in "iu"
    ):
        return None
    return "; ".join(_of_snapshot(snapshot)) or None


def _of_snapshot(snapshot: TelemetrySnapshot) -> Iterator[str]:
    points = len(snapshot.table.keys)
    for name in ("value", "sigma", "age_s", "quality"):
        column: object = getattr(snapshot, name)
        wanted, kinds = ("integers", "iu") if name == "quality" else ("float64", "")
        if not isinstance(column, np.ndarray):
            yield f"the snapshot's {name} is a {type(column).__name__}, not an array of {wanted}"
        elif column.dtype.kind not in kinds if kinds else column.dtype != _FLOAT:
            yield f"the snapshot's {name} is of {column.dtype}, not of {wanted}"
        elif column.shape != (points,):
            yield f"the snapshot's {name} has the shape {column.shape}, not the length of its table, {points} points"


def check_prior(prior: LoadPrior, *, arrays: NetworkArrays, points: int) -> None:
    """Refuses a prior that is not one of this network. Takes some ten microseconds; a prior does not change, so that
    once is enough.

    Args:
        prior: what is believed about the injectors.
        arrays: the network.
        points: in the table of the telemetry.

    Raises:
        InputError: with every problem.
    """
    problems = [
        Problem(element="prior", field=field, value=value, message=message)
        for field, value, message in (*_of_injectors(prior, len(arrays.injectors)), *_of_shared(prior, arrays))
    ]
    outside = _outside(prior.told, points)
    if outside:
        message = f"must be rows of the scan's table, 0 to {points - 1}"
        problems.append(Problem(element="prior", field="told", value=outside, message=message))
    if problems:
        raise InputError(problems)


def _of_injectors(prior: LoadPrior, count: int) -> Iterator[tuple[str, str, str]]:
    right = True
    for name in ("s_nominal_va", "sigma_p_va", "sigma_q_va"):
        shape = getattr(prior, name).shape
        if shape != (count,):
            right = False
            yield name, str(shape), f"must have one entry for each of the {count} injectors"
    if not right:
        return
    mean = prior.s_nominal_va
    sigmas = (("sigma_p_va", prior.sigma_p_va), ("sigma_q_va", prior.sigma_q_va))
    for name, sigma in sigmas:
        # Mostly all is well, and the extremes say so; NaN is in none of these ranges.
        if not (sigma.min(initial=0.0) >= 0.0 and sigma.max(initial=0.0) <= LARGEST_VA):
            wrong = np.flatnonzero(~((sigma >= 0.0) & ((sigma <= LARGEST_VA) | np.isposinf(sigma))))
            if len(wrong):
                yield name, _some(wrong, sigma), f"must be 0 to {LARGEST_VA:.0e}, or inf where nothing is known"
    if not np.abs(mean).max(initial=0.0) <= LARGEST_VA:
        unknown = np.isposinf(prior.sigma_p_va) & np.isposinf(prior.sigma_q_va)
        wrong = np.flatnonzero(~(np.abs(mean) <= LARGEST_VA) & ~(np.isnan(mean) & unknown))
        if len(wrong):
            message = f"must be finite, to {LARGEST_VA:.0e}; NaN only where both sigmas are inf"
            yield "s_nominal_va", _some(wrong, mean), message


def _of_shared(prior: LoadPrior, arrays: NetworkArrays) -> Iterator[tuple[str, str, str]]:
    shared = prior.shared
    count = len(shared.s_va)
    if len(shared.injector) != count or len(shared.mode) != count:
        given = f"{len(shared.injector)}, {len(shared.mode)}, {count}"
        yield "shared", given, "injector, mode and s_va must have one length"
    if not count:
        return
    outside = _outside(shared.injector, len(arrays.injectors))
    if outside:
        yield "shared.injector", outside, f"must be indices of injectors, 0 to {len(arrays.injectors) - 1}"
    outside = _outside(shared.mode, shared.modes)
    if outside:
        yield "shared.mode", outside, f"must be from 0 to modes - 1 = {shared.modes - 1}"
    if not np.abs(shared.s_va).max(initial=0.0) <= LARGEST_VA:
        wrong = np.flatnonzero(~(np.abs(shared.s_va) <= LARGEST_VA))
        yield "shared.s_va", _some(wrong, shared.s_va), f"must be finite, to {LARGEST_VA:.0e}"


def _outside(rows: IntArray, count: int) -> str:
    """Which indices are none; empty where all are."""
    if not len(rows) or (rows.min() >= 0 and rows.max() < count):
        return ""
    wrong = rows[(rows < 0) | (rows >= count)]
    return ", ".join(map(str, wrong[:_NAMED].tolist())) + (f" and {len(wrong) - _NAMED} more" * (len(wrong) > _NAMED))


def _some(wrong: IntArray, column: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
    named = ", ".join(f"{column[i]} at {i}" for i in wrong[:_NAMED].tolist())
    return named + (f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else "")
