from pathlib import Path
from typing import Any

import pytest

from adms.client import InputError
from hil.overlay import read_overlay
from hil.wiring.bench_file import BenchFile, check_bench_file, read_bench_file
from tests.unit.hil.bench_case import FILES

OVERLAY = read_overlay(FILES.overlay)
GOOD = """
[[sunspec]]
devices = ["der.pv_48", "der.battery_7"]

[[sunspec]]
devices = ["der.pv_65"]
address = "192.0.2.17:502"
unit_id = 3
hold_s = 4.0

[[dnp3]]
name = "rtu-67"
devices = ["switch.s_l67", "transformer.reg4a", "capacitor.c83"]
buses = ["67"]

[polls]
sunspec_poll_s = 0.25
"""


def checked(content: dict[str, Any], *, real_time: bool = True) -> BenchFile:
    return check_bench_file(content, overlay=OVERLAY, real_time=real_time)


def problems_of(content: dict[str, Any], *, real_time: bool = True) -> list[str]:
    with pytest.raises(InputError) as refused:
        checked(content, real_time=real_time)
    return [str(problem) for problem in refused.value.problems]


def test_a_file_says_how_each_device_is_reached_and_which_are_real(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(GOOD)
    bench = read_bench_file(path, overlay=OVERLAY, real_time=True)
    assert bench.ders == ("der.pv_48", "der.battery_7", "der.pv_65")
    assert bench.real == ("der.pv_65",)
    real = bench.sunspec[1].real
    assert real is not None
    assert (real.address, real.unit_id, real.hold_s, real.without_reversion) == ("192.0.2.17:502", 3, 4.0, "refuse")
    assert bench.line_devices == ("switch.s_l67", "transformer.reg4a", "capacitor.c83")
    assert (bench.rtus[0].outstation_address, bench.rtus[0].master_address) == (10, 1)
    assert bench.polls.sunspec_poll_s == 0.25


def test_every_problem_is_told_at_once() -> None:
    told = problems_of(
        {
            "sunspec": [
                {"devices": ["der.pv_48", "der.nowhere"]},
                {"devices": ["der.pv_48"], "address": "192.0.2.17"},
                {"devices": [], "surprise": 1},
            ],
            "dnp3": [
                {"name": "a", "devices": ["switch.t54_94"], "address": "192.0.2.18:20000"},
                {"name": "a", "devices": ["line.sw2", "line.no"], "outstation_address": 1},
            ],
            "modbus": [],
        }
    )
    wanted = (
        "der.nowhere",
        "is listed 2 times (given: der.pv_48)",
        "must be HOST:PORT (given: 192.0.2.17)",
        "unit_id: is missing",
        "names no device",
        "surprise",
        "is worked by hand",
        "outstation_address: is missing",
        "master_address: is missing",
        "is listed 2 times (given: a)",
        "line.no",
        "is the master's address, too",
        "modbus",
    )
    for words in wanted:
        assert any(words in problem for problem in told), (words, told)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"devices": ["der.pv_48", "der.pv_76"]}, "an address stands for one device"),
        ({"devices": ["der.pv_48"], "hold_s": 0.5}, "is less than read_period_s, 1"),
        ({"devices": ["der.pv_48"], "without_reversion": "maybe"}, "must be one of accept, refuse"),
        ({"devices": ["der.pv_48"], "unit_id": 248}, "must be from 1 to 247"),
    ],
)
def test_what_a_real_device_must_not_be_is_said(entry: dict[str, Any], words: str) -> None:
    (problem,) = problems_of({"sunspec": [{"address": "192.0.2.17:502", "unit_id": 1, **entry}]})
    assert words in problem


def test_lockstep_with_a_real_device_is_refused_in_words() -> None:
    content = {"sunspec": [{"devices": ["der.pv_48"], "address": "192.0.2.17:502", "unit_id": 1}]}
    (problem,) = problems_of(content, real_time=False)
    assert "needs --real-time" in problem
    assert "der.pv_48" in problem
    # Nothing on real protocols: nothing against lockstep.
    assert checked({}, real_time=False).ders == ()


def test_a_file_that_is_no_toml_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text("[[sunspec")
    with pytest.raises(InputError) as refused:
        read_bench_file(path, overlay=OVERLAY, real_time=True)
    assert "cannot be read" in str(refused.value.problems[0])
