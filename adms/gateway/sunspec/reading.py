"""What a device's registers say of its state, and how far that can be believed."""

from dataclasses import dataclass
from math import sqrt

from adms.client import Quality
from adms.gateway.sunspec.points import AC, CAPACITY, OPERATION, STORAGE, Block

POWER_OVER_RATING_MAX = 3.0
"""More than this times the rating is no power of this device: a wrong scale factor, not a reading."""
VOLTAGE_OVER_NOMINAL_MAX = 2.0
REMOTE_CONTROL = 0


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A value; None where the device does not say."""

    value: float | None
    quality: Quality = Quality.GOOD


ABSENT = Measure(value=None, quality=Quality.MISSING)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One poll of one device. Powers are injections, positive into the network, as SunSpec 701 has them."""

    p_w: Measure
    q_var: Measure
    v_v: tuple[Measure, ...]
    """Phase to neutral, in the order of the device's phases."""
    soc_frac: Measure
    p_available_w: Measure
    remote: bool
    """Whether it takes commands."""
    implausible: int
    """Values that no such device can have."""


def read_state(
    ac: Block,
    *,
    capacity: Block,
    storage: Block | None,
    operation: Block | None,
    phases: int,
    s_max_va: float,
) -> Reading:
    """A reading from models 701, 702, 713 and 715, the latter two where the device has them."""
    assert ac.model_id == AC
    assert capacity.model_id == CAPACITY
    power_max = POWER_OVER_RATING_MAX * s_max_va
    p_w = _within(ac.value("W"), low=-power_max, high=power_max)
    q_var = _within(ac.value("Var"), low=-power_max, high=power_max)
    v_v = tuple(_voltage(ac, name, capacity=capacity) for name in ("VL1", "VL2", "VL3")[:phases])
    if phases == 1 and v_v[0].value is None:
        # A single-phase device may give the average only.
        v_v = (_voltage(ac, "LNV", capacity=capacity),)
    assert storage is None or storage.model_id == STORAGE
    percent = None if storage is None else storage.value("SoC")
    soc_frac = _within(None if percent is None else percent / 100.0, low=0.0, high=1.0)
    assert operation is None or operation.model_id == OPERATION
    mode = None if operation is None else operation.raw("LocRemCtl")
    all_measures = (p_w, q_var, soc_frac, *v_v)
    return Reading(
        p_w=p_w,
        q_var=q_var,
        v_v=v_v,
        soc_frac=soc_frac,
        p_available_w=_available(ac, p_w=p_w, capacity=capacity),
        remote=mode in (None, REMOTE_CONTROL),
        implausible=sum(measure.quality is Quality.INVALID for measure in all_measures),
    )


def _within(value: float | None, *, low: float, high: float) -> Measure:
    if value is None:
        return ABSENT
    return Measure(value=value, quality=Quality.GOOD if low <= value <= high else Quality.INVALID)


def _voltage(ac: Block, name: str, *, capacity: Block) -> Measure:
    nominal_v = capacity.value("VNomRtg")
    # VNom may be that between phases.
    high_v = 1e6 if nominal_v is None else VOLTAGE_OVER_NOMINAL_MAX * sqrt(3.0) * nominal_v
    return _within(ac.value(name), low=0.0, high=high_v)


def _available(ac: Block, *, p_w: Measure, capacity: Block) -> Measure:
    """What it could inject: what it does, and what it says it holds back (ThrotPct of WMax)."""
    held_back_pct, w_max_w = ac.value("ThrotPct"), capacity.value("WMax")
    if held_back_pct is None or w_max_w is None or p_w.value is None or p_w.quality is not Quality.GOOD:
        return ABSENT
    return _within(max(0.0, p_w.value) + held_back_pct / 100.0 * w_max_w, low=0.0, high=2.0 * w_max_w)
