"""The configuration file: every problem at once, in words."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from adms.client import InputError, PowerSetpoint
from adms.gateway.sunspec import check_config, load_config
from adms.gateway.sunspec.config import DeviceTable, GatewayTable
from tests.unit.gateway.sunspec.rigs import BATTERY, GATEWAY, PV

TEXT = """
[gateway]
endpoint = "127.0.0.1:7350"
source_id = "sunspec"
controller_id = "sunspec"
poll_period_s = 1
frame_period_s = 0.2
answer_timeout_s = 1.0
back_off_first_s = 1.0
back_off_max_s = 60.0
connections = "per_address"

[[device]]
device_id = "der.pv1"
address = "192.0.2.10:502"
unit_id = 1
bus = "634"
phases = [1]
p_control = "limit"
s_max_va = 10e3
p_max_w = 10e3
p_min_w = 0.0
q_max_var = 4.4e3
default_q_injection_var = 0.0
sigma_p_w = 50.0
sigma_q_var = 50.0
sigma_v_v = 1.0
without_reversion = "refuse"
"""


def problems(**changes: Any) -> list[str]:
    content = {"gateway": GATEWAY, "device": [PV], **changes}
    with pytest.raises(InputError) as refused:
        check_config(content)
    return [str(problem) for problem in refused.value.problems]


def test_a_complete_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(TEXT)
    device = load_config(path).device[0]
    assert device.registered.stored_default == PowerSetpoint(p_injection_w=None, q_injection_var=0.0)


def test_the_reference_holds_every_key_that_there_is() -> None:
    path = Path(str(files("adms.gateway.sunspec"))) / "reference.toml"
    config = load_config(path)
    assert config.gateway.model_fields_set == set(GatewayTable.model_fields)
    assert {name for entry in config.device for name in entry.model_fields_set} == set(DeviceTable.model_fields)


def test_all_problems_of_a_file_are_told_at_once() -> None:
    wrong = {key: value for key, value in PV.items() if key != "without_reversion"}
    wrong |= {"unit_id": 256, "p_max_w": 60e3, "sigma_p_w": "250", "adress": "127.0.0.1:502", "phases": [1, 1]}
    gateway = {**GATEWAY, "back_off_max_s": 0.01, "endpoint": "localhost", "connections": "one"}
    told = problems(gateway=gateway, device=[wrong, {**BATTERY, "p_control": "limit"}], devices=[])
    expected = (
        "without_reversion: is missing",
        "unit_id: ",
        "p_max_w: is more than s_max_va",
        "sigma_p_w: ",
        "adress: no such key; did you mean address?",
        "phases: names a phase twice",
        "back_off_max_s: is less than back_off_first_s",
        "endpoint: must be HOST:PORT",
        "connections: ",
        "[devices]: no such table; did you mean device?",
        "(der.battery).p_control: a device that can absorb",
    )
    for words in expected:
        assert sum(words in line for line in told) == 1, (words, told)
    assert len(told) == len(expected)


def test_one_device_id_or_one_unit_of_an_address_stands_once() -> None:
    told = problems(device=[PV, PV])
    assert any("device_id: stands 2 times" in line for line in told)
    assert any("unit_id 1 stands 2 times" in line for line in told)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", ":502", "a b:502"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    assert len(problems(device=[{**PV, "address": address}])) == 1


@pytest.mark.parametrize(("name", "value"), [("default_p_injection_w", 60e3), ("default_q_injection_var", -23e3)])
def test_a_default_lies_inside_the_nameplate(name: str, value: float) -> None:
    assert [name in line for line in problems(device=[{**PV, name: value}])] == [True]


def test_a_file_that_is_missing_or_no_toml_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_config(tmp_path / "none.toml")
    path = tmp_path / "bad.toml"
    path.write_text("[gateway")
    with pytest.raises(InputError, match="is not TOML"):
        load_config(path)
