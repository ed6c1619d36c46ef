"""The device under test, and the levels of power at which it is tried: apart enough to be told from one another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import hypot, isfinite, nan

from adms.wire.control.v1 import control_pb2

SHARES = (0.9, 0.7, 0.5, 0.3, 0.1)
"""Candidates within [p_min, p_max], from above."""
APART = 3.0
"""Levels lie at least so many tolerances apart: each with its band, and a band between them."""

LONGEST_MOVE_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class DeviceUnderTest:
    """A DER as it registered; powers are injections into the network."""

    device_id: str
    controller_id: str
    s_max_va: float
    p_max_w: float
    p_min_w: float
    q_max_var: float
    ramp_w_per_s: float
    """NaN where it declares none."""
    default_p_w: float
    """NaN where the stored default leaves active power to the device."""
    default_q_var: float

    def reach_s(self, distance_w: float) -> float:
        """How long its declared ramp takes; 0 without one, and never more than an hour: every wait is bounded."""
        if not (isfinite(self.ramp_w_per_s) and self.ramp_w_per_s > 0.0):
            return 0.0
        return min(abs(distance_w) / self.ramp_w_per_s, LONGEST_MOVE_S)


def device_under_test(message: control_pb2.Device, *, controller_id: str) -> DeviceUnderTest:
    """Of a registration. What is absent is NaN."""
    can, default = message.capability, message.stored_default
    return DeviceUnderTest(
        device_id=message.device_id,
        controller_id=controller_id,
        s_max_va=can.s_max_va,
        p_max_w=can.p_max_w,
        p_min_w=can.p_min_w,
        q_max_var=can.q_max_var,
        ramp_w_per_s=can.ramp_w_per_s if can.HasField("ramp_w_per_s") else nan,
        default_p_w=default.p_injection_w if default.HasField("p_injection_w") else nan,
        default_q_var=default.q_injection_var if default.HasField("q_injection_var") else nan,
    )


def two_levels(device: DeviceUnderTest, *, tolerance_w: float, p_available_w: float) -> tuple[float, float] | None:
    """Two levels in W that are told apart from each other and from the default, the farthest first; None where the
    range is too narrow. `p_available_w` bounds the range from above where it is a number: a PV gives no more."""
    high_w = min(device.p_max_w, p_available_w) if isfinite(p_available_w) else device.p_max_w
    low_w = device.p_min_w
    q_var = 0.0 if not isfinite(device.default_q_var) else device.default_q_var
    rest_w = device.default_p_w if isfinite(device.default_p_w) else high_w
    shares = [low_w + share * (high_w - low_w) for share in SHARES]
    candidates = [level for level in shares if hypot(level, q_var) <= device.s_max_va]

    def apart_w(pair: tuple[float, float]) -> float:
        return min(abs(pair[0] - rest_w), abs(pair[1] - rest_w), abs(pair[0] - pair[1]))

    best = max(permutations(candidates, 2), key=lambda pair: (apart_w(pair), abs(pair[0] - rest_w)), default=None)
    if best is None or not apart_w(best) >= APART * tolerance_w or apart_w(best) <= 0.0:
        return None
    return best
