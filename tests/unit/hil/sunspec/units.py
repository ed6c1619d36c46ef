"""Units without a plant for the SunSpec tests: what they measure is set, what they were told is kept."""

from __future__ import annotations

from hil.endpoints.sunspec import Measured, Nameplate, OperatingState, SunSpecDevice, Wanted

PV = Nameplate(
    serial="pv-1",
    phases=3,
    s_max_va=50_000.0,
    p_max_w=50_000.0,
    p_charge_max_w=0.0,
    q_max_var=22_000.0,
    v_nominal_v=277.0,
)
BATTERY = Nameplate(
    serial="bat-1",
    phases=3,
    s_max_va=60_000.0,
    p_max_w=50_000.0,
    p_charge_max_w=40_000.0,
    q_max_var=26_400.0,
    v_nominal_v=277.0,
    energy_wh=100_000.0,
)
MEASURED = Measured(
    p_w=(10_000.0, 11_000.0, 9_000.0),
    q_var=(1_000.0, -2_000.0, 500.0),
    v_v=(277.3, 276.1, 278.2),
    f_hz=59.987,
    state=OperatingState.RUNNING,
    connected=True,
    soc_frac=0.625,
    p_available_w=42_000.0,
    p_dc_w=30_500.0,
)


class Box:
    """Physics that measures what it is given."""

    def __init__(self, measured: Measured = MEASURED) -> None:
        self.now = measured
        self.wanted: list[Wanted] = []

    def measured(self) -> Measured:
        return self.now

    def want(self, wanted: Wanted) -> None:
        self.wanted.append(wanted)


def device(nameplate: Nameplate = PV, *, box: Box | None = None, base_address: int = 40_000) -> SunSpecDevice:
    return SunSpecDevice(nameplate=nameplate, physics=box or Box(), now_s=0.0, base_address=base_address)
