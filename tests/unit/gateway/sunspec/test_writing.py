"""Setpoints as writes to model 704, by hand: offsets from the model definition, percent of WMax, whole steps."""

from __future__ import annotations

import pytest

from adms.client import OutcomeCode, PowerSetpoint
from adms.gateway.sunspec.points import CONTROLS, PLACES, Block, encode
from adms.gateway.sunspec.writing import PowerControl, Refusal, Target, Write, achieved, keeps_time, target, writes

SCALES = {"WMaxLimPct_SF": -1, "WSet_SF": 0, "VarSet_SF": 0}


def block(**values: int) -> Block:
    registers = [0] * 67
    for name, value in {**SCALES, **values}.items():
        place = PLACES[CONTROLS][name]
        registers[place.offset : place.offset + place.size] = encode(value, kind=place.kind)
    return Block(model_id=CONTROLS, registers=registers)


def power(p_w: float | None, q_var: float | None) -> PowerSetpoint:
    return PowerSetpoint(p_injection_w=p_w, q_injection_var=q_var)


def wanted(
    setpoint: PowerSetpoint,
    *,
    default: PowerSetpoint,
    control: PowerControl,
    on: Block,
    hold_s: int = 60,
    w_max_w: float | None = 30e3,
) -> Target:
    made = target(setpoint, default=default, hold_s=hold_s, control=control, block=on, w_max_w=w_max_w)
    assert isinstance(made, Target)
    return made


def test_a_limit_goes_out_rounded_down_with_its_time_and_then_its_enable() -> None:
    """10 kW of 30 kW is 33.33 %, in steps of 0.1 % 333; offsets 15 to 19 and 14."""
    now = block()
    made = wanted(power(10e3, None), default=power(None, None), control=PowerControl.LIMIT, on=now)
    assert writes(made.p, block=now) == [
        Write(offset=15, registers=(333,)),
        Write(offset=18, registers=(0, 60)),
        Write(offset=14, registers=(1,)),
    ]
    assert writes(made.q, block=now) == []


def test_a_setpoint_carries_what_it_reverts_to() -> None:
    """WSet -15 kW, WSetRvrt 2 kW (int32 from offset 24), mode watts at 23, EnaRvrt and 60 s from 30, Ena at 22."""
    now = block()
    made = wanted(power(-15e3, None), default=power(2e3, None), control=PowerControl.SETPOINT, on=now)
    assert writes(made.p, block=now) == [
        Write(offset=23, registers=(1, 0xFFFF, 0xC568, 0, 2_000)),
        Write(offset=30, registers=(1, 0, 60)),
        Write(offset=22, registers=(1,)),
    ]


def test_a_renewal_of_what_stands_writes_the_time_and_the_enable_only() -> None:
    now = block(WSetEna=1, WSetMod=1, WSet=5_000, WSetRvrt=0, WSetEnaRvrt=1, WSetRvrtTms=60, WSetRvrtRem=20)
    made = wanted(power(5e3, None), default=power(0.0, None), control=PowerControl.SETPOINT, on=now)
    assert writes(made.p, block=now) == [Write(offset=31, registers=(0, 60)), Write(offset=22, registers=(1,))]


def test_a_lease_of_the_default_itself_needs_no_time_and_nothing_is_written_where_it_stands() -> None:
    now = block(VarSetEna=1, VarSetMod=4, VarSet=0)
    made = wanted(power(None, 0.0), default=power(None, 0.0), control=PowerControl.SETPOINT, on=now)
    assert made.q.time_s == 0
    assert writes(made.q, block=now) == []
    # Unless a time is still running that somebody started.
    running = block(VarSetEna=1, VarSetMod=4, VarSet=0, VarSetRvrtTms=60, VarSetRvrtRem=10)
    assert writes(made.q, block=running)[-1] == Write(offset=35, registers=(1,))


@pytest.mark.parametrize(
    ("setpoint", "w_max_w", "missing", "code"),
    [
        (power(-1.0, None), 30e3, None, OutcomeCode.OUT_OF_RANGE),
        (power(1.0, None), None, None, OutcomeCode.NOT_SUPPORTED),
        (power(1.0, None), 0.0, None, OutcomeCode.NOT_SUPPORTED),
        (power(1.0, None), 30e3, ("WMaxLimPct_SF", 0x8000), OutcomeCode.NOT_SUPPORTED),
        (power(1.0, None), 30e3, ("WMaxLimPctEna", 0xFFFF), OutcomeCode.NOT_SUPPORTED),
        (power(None, 5e9), 30e3, None, OutcomeCode.OUT_OF_RANGE),
    ],
)
def test_what_the_registers_cannot_say_is_refused_before_anything_is_written(
    setpoint: PowerSetpoint, w_max_w: float | None, missing: tuple[str, int] | None, code: OutcomeCode
) -> None:
    now = block()
    if missing is not None:
        registers = list(now.registers)
        registers[PLACES[CONTROLS][missing[0]].offset] = missing[1]
        now = Block(model_id=CONTROLS, registers=registers)
    made = target(
        setpoint, default=power(None, None), hold_s=60, control=PowerControl.LIMIT, block=now, w_max_w=w_max_w
    )
    assert isinstance(made, Refusal)
    assert made.code is code


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"WSetRvrtRem": 0}, False),  # it does not run
        ({"WSetRvrtRem": 61}, False),  # it runs for longer than it was told
        ({"WSetRvrtTms": 0}, False),
        ({"WSetEnaRvrt": 0}, False),  # it would revert to no setpoint
        ({"WSetRvrt": 9_000}, False),  # it would revert to another
    ],
)
def test_only_a_time_that_runs_to_the_default_counts_as_kept(changes: dict[str, int], holds: bool) -> None:
    stands = {"WSetEna": 1, "WSetMod": 1, "WSet": 5_000, "WSetEnaRvrt": 1, "WSetRvrtTms": 60, "WSetRvrtRem": 60}
    now = block(**{**stands, **changes})
    made = wanted(power(5e3, None), default=power(0.0, None), control=PowerControl.SETPOINT, on=now)
    assert achieved(now, made.p) == ""
    assert keeps_time(now, made.p) is holds


def test_what_is_otherwise_than_written_is_named() -> None:
    made = wanted(power(5e3, None), default=power(0.0, None), control=PowerControl.SETPOINT, on=block())
    now = block(WSetEna=0, WSetMod=0, WSet=4_999)
    told = "WSetEna reads 0 instead of 1; WSet reads 4999 instead of 5000; WSetMod reads 0 instead of 1"
    assert achieved(now, made.p) == told
