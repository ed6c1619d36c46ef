"""The gateway's configuration as people write it."""

from pathlib import Path

import pytest

from adms.client import DeviceClass, InputError, Point, PointKind
from adms.gateway.dnp3.config import REFERENCE, Configuration, Control, Encoding, Object, read_configuration
from adms.gateway.dnp3.state import SeenEpoch
from hil.endpoints.dnp3.layout import gateway_toml
from tests.unit.hil.dnp3_case import BANK, POINTS, POLLING, SWITCH, TAP, case_rtu

GATEWAY = """
[gateway]
endpoint = "127.0.0.1:7350"
source_id = "dnp3"
controller_id = "dnp3"
state_file = "epoch.json"
response_timeout_s = 2
integrity_poll_s = 10.0
event_poll_s = 1.0
reconnect_first_s = 0.5
reconnect_longest_s = 30.0
event_time_ahead_max_s = 5.0
"""
RTU = """
[[rtu]]
name = "{name}"
address = "{address}"
outstation_address = {outstation}
master_address = 1
unsolicited = true
time_sync = true
"""


def read(path: Path, text: str) -> Configuration:
    path.write_text(text)
    return read_configuration(path)


def refused(path: Path, text: str) -> list[tuple[str, str]]:
    """Element and field of each problem."""
    with pytest.raises(InputError) as caught:
        read(path, text)
    return [(problem.element, problem.field) for problem in caught.value.problems]


def rtu(*, name: str = "a", address: str = "10.0.0.1:20000", outstation: int = 10) -> str:
    return RTU.format(name=name, address=address, outstation=outstation)


def test_what_the_bench_writes_is_what_the_gateway_reads(tmp_path: Path) -> None:
    text = gateway_toml(
        {"127.0.0.1:20000": case_rtu('an "odd" näme')},
        endpoint="127.0.0.1:7350",
        source_id="s",
        controller_id="c",
        state_file="epoch.json",
        polling=POLLING,
    )
    found = read(tmp_path / "g.toml", text)
    assert found.gateway.integrity_poll_s == POLLING.integrity_poll_s
    (one,) = found.rtu
    assert (one.name, one.host_and_port, one.outstation_address) == ('an "odd" näme', ("127.0.0.1", 20000), 10)
    assert {table.point for table in one.points} == set(POINTS)
    devices = {device.id: (device.device_class, device.object, device.index) for device in one.devices}
    assert devices == {
        SWITCH: (DeviceClass.SWITCH, Object.BINARY_OUTPUT, 0),
        TAP: (DeviceClass.TAP_CHANGER, Object.ANALOG_OUTPUT, 0),
        BANK: (DeviceClass.CAPACITOR, Object.ANALOG_OUTPUT, 1),
    }
    assert one.devices[0].control is Control.TRIP_CLOSE
    assert one.devices[1].encoding is Encoding.INT16


def test_the_reference_is_a_configuration() -> None:
    found = read_configuration(REFERENCE)
    assert [(rtu.name, len(rtu.points), len(rtu.devices)) for rtu in found.rtu] == [("rtu-13", 3, 2)]


def test_a_point_says_where_it_is_and_what_a_unit_is(tmp_path: Path) -> None:
    points = 'points = [{ kind = "p_flow_w", element = "l1", side = 1, phase = 2, sigma = 1e3, object = "analog_input",'
    found = read(tmp_path / "g.toml", GATEWAY + rtu() + points + " index = 7, scale = 10 }]")
    (table,) = found.rtu[0].points
    assert table.point == Point(kind=PointKind.P_FLOW, element="l1", side=1, phase=2, sigma=1e3)
    assert (table.index, table.scale) == (7, 10.0)


def test_every_problem_of_the_form_is_named(tmp_path: Path) -> None:
    text = GATEWAY.replace("response_timeout_s = 2", 'response_timeout_s = "2"').replace("event_poll_s = 1.0", "")
    points = (
        '\npoints = [{ kind = "volts", element = "", object = "analog_input", index = -1, scale = nan, extra = 1 }]'
    )
    assert sorted(refused(tmp_path / "g.toml", text + rtu(outstation=65520) + points)) == [
        ("gateway", "event_poll_s"),
        ("gateway", "response_timeout_s"),
        ("rtu[0]", "outstation_address"),
        ("rtu[0].points[0]", "element"),
        ("rtu[0].points[0]", "extra"),
        ("rtu[0].points[0]", "index"),
        ("rtu[0].points[0]", "kind"),
        ("rtu[0].points[0]", "scale"),
    ]
    assert refused(tmp_path / "g.toml", GATEWAY) == [("file", "rtu")]
    assert refused(tmp_path / "g.toml", "rtu = []\n" + GATEWAY) == [("file", "rtu")]


def test_every_contradiction_is_named(tmp_path: Path) -> None:
    text = GATEWAY.replace("event_poll_s = 1.0", "event_poll_s = 60.0").replace(":7350", "")
    points = """
points = [
  { kind = "v_magnitude_v", element = "b", phase = 4, sigma = 1.0, object = "analog_input", index = 0 },
  { kind = "remote", element = "s", object = "binary_input", index = 0, scale = 2.0 },
  { kind = "remote", element = "s", object = "binary_input", index = 1 },
  { kind = "soc_frac", element = "d", object = "analog_input", index = 1, scale = 0.0, invert = true },
]
devices = [
  { id = "s", device_class = "switch", object = "analog_output", index = 0, scale = 1.0, encoding = "int16" },
  { id = "s", device_class = "switch", object = "binary_output", index = 0 },
  { id = "t", device_class = "tap_changer", object = "analog_output", index = 0, control = "latch" },
  { id = "d", device_class = "der", object = "analog_output", index = 0, scale = 1.0, encoding = "int16" },
]
"""
    second = rtu(address="nowhere", outstation=1)
    assert refused(tmp_path / "g.toml", text + rtu() + points + rtu() + second) == [
        ("gateway", "endpoint"),
        ("gateway", "event_poll_s"),
        ("rtu a.points[0]", "phase"),
        ("rtu a.points[0]", "scale"),
        ("rtu a.points[1]", "scale"),
        ("rtu a.points[2]", "element"),
        ("rtu a.points[3]", "scale"),
        ("rtu a.points[3]", "invert"),
        ("rtu a.devices[0]", "object"),
        ("rtu a.devices[1]", "id"),
        ("rtu a.devices[1]", "control"),
        ("rtu a.devices[2]", "control"),
        ("rtu a.devices[2]", "scale"),
        ("rtu a.devices[2]", "encoding"),
        ("rtu a.devices[3]", "device_class"),
        ("rtu a", "name"),
        ("rtu a", "outstation_address"),
        ("rtu a", "name"),
        ("rtu a", "address"),
        ("rtu a", "outstation_address"),
    ]


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_configuration(tmp_path / "absent.toml")
    assert refused(tmp_path / "g.toml", "= 1") == [(str(tmp_path / "g.toml"), "")]


def test_the_epoch_is_kept_over_restarts_and_never_lowered(tmp_path: Path) -> None:
    path = tmp_path / "state" / "epoch.json"
    state = SeenEpoch(path)
    assert state.value == 0
    state.keep(3)
    state.keep(2)
    assert SeenEpoch(path).value == 3


@pytest.mark.parametrize("text", ["", "{}", '{"seen_epoch": -1}', '{"seen_epoch": true}', "[1]"])
def test_an_epoch_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "epoch.json"
    path.write_text(text)
    with pytest.raises(InputError, match="seen_epoch"):
        SeenEpoch(path)
