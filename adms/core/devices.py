"""Field devices: what they are, what a DER can do, and what a tag on one forbids."""

from dataclasses import dataclass
from enum import StrEnum


class DeviceClass(StrEnum):
    """What a device is."""

    SWITCH = "switch"
    TAP_CHANGER = "tap_changer"
    CAPACITOR = "capacitor"
    DER = "der"


@dataclass(frozen=True, kw_only=True)
class DerCapability:
    """What a DER says that it can do; powers are injections into the network."""

    s_max_va: float
    p_max_w: float
    p_min_w: float
    q_max_var: float
    energy_wh: float | None = None
    ramp_w_per_s: float | None = None


class TagKind(StrEnum):
    """What a tag forbids."""

    HOLD = "hold"
    """Do not operate."""
    CLEARANCE = "clearance"
    """Work: the device stays open."""
    HOT_LINE = "hot_line"
    """Live-line work: reclosing and FLISR off there."""
