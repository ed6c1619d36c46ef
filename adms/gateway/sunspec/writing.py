"""A setpoint as writes to model 704, each with a reversion to the stored default, and the read-back that proves it.

Order: values, reversion values and times first, the enable last, so that nothing is in force without its time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import copysign, trunc

from adms.client import OutcomeCode, PowerSetpoint
from adms.gateway.sunspec.points import CONTROLS, PLACES, Block, encode

WATTS, VARS = 1, 4
PERCENT_MAX = 100.0


class PowerControl(StrEnum):
    """With which function of model 704 a device is led."""

    LIMIT = "limit"
    """WMaxLimPct: it injects no more than that (PV)."""
    SETPOINT = "setpoint"
    """WSet: it injects or absorbs that (storage)."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a setpoint cannot be written, or was not taken."""

    code: OutcomeCode
    text: str


@dataclass(frozen=True, kw_only=True)
class Function:
    """What one function of model 704 is to be."""

    name: str
    enabled: bool
    raw: int
    """Number in the register; of no meaning where not enabled."""
    enabled_after: bool
    raw_after: int
    time_s: int
    """0: until it is written again."""
    mode: int | None
    """Number of its mode register, where it has one."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Both functions of one device."""

    p: Function
    q: Function


@dataclass(frozen=True, kw_only=True)
class Write:
    """One message: registers from an offset of the model."""

    offset: int
    registers: tuple[int, ...]


def target(
    setpoint: PowerSetpoint,
    *,
    default: PowerSetpoint,
    hold_s: int,
    control: PowerControl,
    block: Block,
    w_max_w: float | None,
) -> Target | Refusal:
    """What the registers have to hold. `hold_s`: whole seconds of the lease, 0 for the default itself; `w_max_w`: the
    device's WMax."""
    assert block.model_id == CONTROLS
    p_w, p_after_w = setpoint.p_injection_w, default.p_injection_w
    p: Function | Refusal
    match control:
        case PowerControl.LIMIT:
            if w_max_w is None or w_max_w <= 0.0:
                return Refusal(code=OutcomeCode.NOT_SUPPORTED, text="702 WMax is not implemented: a limit of what?")
            if p_w is not None and p_w < 0.0:
                return Refusal(code=OutcomeCode.OUT_OF_RANGE, text="led by a limit, it cannot be told to absorb")
            share, share_after = _percent(p_w, w_max_w=w_max_w), _percent(p_after_w, w_max_w=w_max_w)
            p = _function("WMaxLimPct", value=share, after=share_after, hold_s=hold_s, block=block, mode=None)
        case PowerControl.SETPOINT:
            p = _function("WSet", value=p_w, after=p_after_w, hold_s=hold_s, block=block, mode=WATTS)
    q = _function(
        "VarSet", value=setpoint.q_injection_var, after=default.q_injection_var, hold_s=hold_s, block=block, mode=VARS
    )
    for made in (p, q):
        if isinstance(made, Refusal):
            return made
    assert isinstance(p, Function)
    assert isinstance(q, Function)
    return Target(p=p, q=q)


def _percent(p_w: float | None, *, w_max_w: float) -> float | None:
    return None if p_w is None else min(PERCENT_MAX, PERCENT_MAX * max(0.0, p_w) / w_max_w)


def _function(
    name: str, *, value: float | None, after: float | None, hold_s: int, block: Block, mode: int | None
) -> Function | Refusal:
    nothing = Function(name=name, enabled=False, raw=0, enabled_after=False, raw_after=0, time_s=0, mode=None)
    if block.raw(f"{name}Ena") is None or block.raw(name) is None:
        # What the device does not have need not be switched off.
        without = value is None and after is None
        return nothing if without else Refusal(code=OutcomeCode.NOT_SUPPORTED, text=f"704 {name} is not implemented")
    exponent = block.exponent(name)
    if exponent is None:
        return Refusal(code=OutcomeCode.NOT_SUPPORTED, text=f"704 {name} has no usable scale factor")
    step = 10.0**exponent
    # Rounded towards zero: a limit does not grow by it, and a setpoint at the nameplate stays inside.
    raw, raw_after = (
        0 if number is None else trunc(number / step + copysign(1e-6, number)) for number in (value, after)
    )
    kind = PLACES[CONTROLS][name].kind
    for number in (raw, raw_after):
        try:
            encode(number, kind=kind)
        except OverflowError:
            return Refusal(code=OutcomeCode.OUT_OF_RANGE, text=f"704 {name} cannot hold {number * step:g}")
    return Function(
        name=name,
        enabled=value is not None,
        raw=raw,
        enabled_after=after is not None,
        raw_after=raw_after,
        # What is the default already needs no time to become it.
        time_s=0 if (value is None, raw) == (after is None, raw_after) else hold_s,
        mode=mode,
    )


def writes(function: Function, *, block: Block) -> list[Write]:
    """Messages that make a function so, in order. `block`: model 704 as it stands; points that the device does not have
    or that are so already are left out. A time is always written, and the enable with it: that starts it anew."""
    name = function.name
    if function.time_s == 0 and not achieved(block, function) and not block.raw(f"{name}RvrtRem"):
        return []
    if not function.enabled:
        if block.raw(f"{name}Ena") in (None, 0):
            return []
        return [Write(offset=PLACES[CONTROLS][f"{name}Ena"].offset, registers=(0,))]
    values = {
        f"{name}Mod": function.mode,
        name: function.raw,
        f"{name}Rvrt": function.raw_after,
        f"{name}EnaRvrt": int(function.enabled_after),
        f"{name}RvrtTms": function.time_s,
    }
    present = {
        point: number
        for point, number in values.items()
        if number is not None and block.raw(point) is not None and (point.endswith("Tms") or block.raw(point) != number)
    }
    return [*_runs(present), *_runs({f"{name}Ena": 1})]


def _runs(values: Mapping[str, int]) -> list[Write]:
    """Neighbouring points in one message."""
    made: list[Write] = []
    for point, number in sorted(values.items(), key=lambda item: PLACES[CONTROLS][item[0]].offset):
        place = PLACES[CONTROLS][point]
        registers = tuple(encode(number, kind=place.kind))
        if made and made[-1].offset + len(made[-1].registers) == place.offset:
            made[-1] = Write(offset=made[-1].offset, registers=made[-1].registers + registers)
        else:
            made.append(Write(offset=place.offset, registers=registers))
    return made


def keeps_time(block: Block, function: Function) -> bool:
    """Whether the device counts down to a reversion by itself: only then does it fall back without the gateway."""
    left_s = block.raw(f"{function.name}RvrtRem")
    return left_s is not None and 0 < left_s <= function.time_s and not _differs(block, function, reversion=True)


def achieved(block: Block, function: Function) -> str:
    """Empty where model 704 as read holds a function as it was written, else what is otherwise."""
    return _differs(block, function, reversion=False)


def _differs(block: Block, function: Function, *, reversion: bool) -> str:
    name = function.name
    enabled = block.raw(f"{name}Ena")
    if not function.enabled:
        return f"{name}Ena reads {enabled}" if enabled == 1 else ""
    wanted: dict[str, int | None] = {f"{name}Ena": 1, name: function.raw, f"{name}Mod": function.mode}
    if reversion:
        wanted = {f"{name}EnaRvrt": int(function.enabled_after), f"{name}RvrtTms": function.time_s}
        if function.enabled_after:
            wanted[f"{name}Rvrt"] = function.raw_after
    wrong = [
        f"{point} reads {block.raw(point)} instead of {number}"
        for point, number in wanted.items()
        if number is not None and block.raw(point) != number
    ]
    return "; ".join(wrong)
