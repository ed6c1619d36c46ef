"""The endpoint read and written by pysunspec2's own Modbus client: its discovery, its decoding, its scale factors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from hil.endpoints.sunspec import SunSpecServer
from tests.unit.hil.sunspec.units import BATTERY, PV, Box, device

T = TypeVar("T")
MODELS = [1, *range(701, 716)]


async def with_client(server: SunSpecServer, unit_id: int, ask: Callable[[Any], T]) -> T:
    host, port = server.address.split(":")

    def talk() -> T:
        client = SunSpecModbusClientDeviceTCP(slave_id=unit_id, ipaddr=host, ipport=int(port), timeout=5.0)
        client.connect()
        try:
            client.scan(connect=False)
            return ask(client)
        finally:
            client.disconnect()

    return await asyncio.to_thread(talk)


@pytest.mark.parametrize("base_address", [40_000, 0, 50_000])
async def test_the_client_finds_every_model_at_each_base_address_and_no_length_is_wrong(base_address: int) -> None:
    devices = {7: device(BATTERY, base_address=base_address)}
    async with SunSpecServer(devices=devices, clock=lambda: 0.0) as server:
        found = await with_client(server, 7, lambda c: [(m.model_id, m.error_info) for m in c.model_list])
    assert found == [(model, "") for model in MODELS]


async def test_a_device_without_storage_has_no_model_713() -> None:
    async with SunSpecServer(devices={1: device(PV)}, clock=lambda: 0.0) as server:
        found = await with_client(server, 1, lambda c: [m.model_id for m in c.model_list])
    assert found == [model for model in MODELS if model != 713]


async def test_the_client_reads_what_the_unit_measures() -> None:
    """Numbers are those of `units.MEASURED`, added up by hand."""

    def ask(client: Any) -> dict[str, float | None]:
        ac, capacity, storage, dc = (client.models[model][0] for model in (701, 702, 713, 714))
        return {
            **{name: ac.points[name].cvalue for name in ("W", "Var", "WL2", "VarL2", "VL3", "Hz", "InvSt", "TmpAmb")},
            "ThrotPct": ac.ThrotPct.cvalue,
            "WMax": capacity.WMax.cvalue,
            "WChaRteMaxRtg": capacity.WChaRteMaxRtg.cvalue,
            "SoC": storage.SoC.cvalue,
            "WHAvail": storage.WHAvail.cvalue,
            "DCW": dc.DCW.cvalue,
            "DCA": dc.DCA.cvalue,
        }

    async with SunSpecServer(devices={1: device(BATTERY)}, clock=lambda: 0.0) as server:
        read = await with_client(server, 1, ask)
    assert read["W"] == pytest.approx(30_000.0)
    assert read["Var"] == pytest.approx(-500.0, abs=5.0)  # steps of 10 var
    assert read["WL2"] == pytest.approx(11_000.0)
    assert read["VarL2"] == pytest.approx(-2_000.0)
    assert read["VL3"] == pytest.approx(278.2, abs=0.05)
    assert read["Hz"] == pytest.approx(59.987)
    assert read["InvSt"] == 3
    assert read["TmpAmb"] is None
    assert read["DCA"] is None
    assert read["ThrotPct"] == 24  # (42 kW available - 30 kW) / 50 kW
    assert read["WMax"] == pytest.approx(50_000.0)
    assert read["WChaRteMaxRtg"] == pytest.approx(40_000.0)
    assert read["SoC"] == pytest.approx(62.5)
    assert read["WHAvail"] == pytest.approx(62_500.0)
    assert read["DCW"] == pytest.approx(30_500.0)


async def test_what_the_client_writes_reaches_the_unit_and_reverts_in_time() -> None:
    box, now_s = Box(), 100.0
    inverter = device(PV, box=box)

    def ask(client: Any) -> tuple[int, float]:
        controls = client.models[704][0]
        controls.WMaxLimPct.cvalue = 40.0
        controls.WMaxLimPctRvrt.cvalue = 75.0
        controls.WMaxLimPctEnaRvrt.value = 1
        controls.WMaxLimPctRvrtTms.value = 30
        controls.VarSet.cvalue = -5_000.0
        controls.VarSetEna.value = 1
        controls.WMaxLimPctEna.value = 1
        controls.write()
        controls.read()
        return controls.WMaxLimPctRvrtRem.value, controls.WMaxLimPct.cvalue

    async with SunSpecServer(devices={1: inverter}, clock=lambda: now_s) as server:
        left_s, limit_pct = await with_client(server, 1, ask)
        assert left_s == 30
        assert limit_pct == pytest.approx(40.0)
        assert box.wanted[-1].p_limit_w == pytest.approx(20_000.0)  # 40 % of 50 kW
        assert box.wanted[-1].q_target_var == pytest.approx(-5_000.0)
        inverter.advance(129.9)
        assert box.wanted[-1].p_limit_w == pytest.approx(20_000.0)
        inverter.advance(130.0)
        assert box.wanted[-1].p_limit_w == pytest.approx(37_500.0)
        assert box.wanted[-1].q_target_var == pytest.approx(-5_000.0)  # written without a time


async def test_a_curve_that_the_client_writes_is_adopted_or_refused_as_a_whole() -> None:
    box = Box()

    def write(client: Any, volts: tuple[float, float]) -> int:
        model = client.models[706][0]
        curve = model.Crv[1]
        curve.ActPt.value = 2
        for point, (v, w) in zip(curve.Pt, ((volts[0], 100.0), (volts[1], 0.0)), strict=False):
            point.V.cvalue, point.W.cvalue = v, w
        model.Ena.value = 1
        model.write()
        model.AdptCrvReq.value = 2
        model.write()
        model.read()
        return int(model.AdptCrvRslt.value)

    async with SunSpecServer(devices={1: device(PV, box=box)}, clock=lambda: 0.0) as server:
        assert await with_client(server, 1, lambda c: write(c, (105.0, 109.0))) == 1
        assert np.allclose(box.wanted[-1].curves["volt_watt"].points, ((1.05, 1.0), (1.09, 0.0)), atol=1e-9)
        # Voltages that fall are no curve; the one in force stays.
        assert await with_client(server, 1, lambda c: write(c, (109.0, 105.0))) == 2
        assert box.wanted[-1].curves["volt_watt"].points[0][0] == pytest.approx(1.05)
