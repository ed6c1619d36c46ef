"""What the bench's events (hil/README.md) change on the screen. Figures are invented; only their place matters."""

import io
from typing import Any

from rich.console import Console

from adms.cli.demo.displays import PlainDisplay
from adms.cli.demo.scene import Scene
from adms.cli.demo.screen import draw

START: dict[str, Any] = {
    "event": "start",
    "t": 0.0,
    "feeder": "123-operated",
    "seed": 1,
    "fault": "line.l67",
    "duration_s": 600.0,
    "scan_s": 2.0,
    "v_min_pu": 0.95,
    "v_max_pu": 1.05,
    "ders": 22,
    "points": 200,
}
SCAN: dict[str, Any] = {
    "event": "scan",
    "t": 30.0,
    "mode": "control",
    "grade": "solved",
    "estimate_ms": 12.34,
    "v_min_pu": 0.9412,
    "v_min_node": "114.1",
    "v_max_pu": 1.0388,
    "v_max_node": "83.2",
    "losses_w": 71_250.0,
    "import_w": 2_500_000.0,
    "import_max_w": 2_000_000.0,
    "customers_off": 120,
    "service_up": True,
}
MOVE: dict[str, Any] = {
    "event": "move",
    "t": 31.0,
    "device": "capacitor.c83",
    "setpoint": "1 step",
    "app": "voltvar",
    "reason": "114.1 is 0.009 pu low",
}
FAULT: dict[str, Any] = {
    "event": "plant",
    "t": 180.5,
    "element": "line.l67",
    "what": "fault",
    "text": "fault on line.l67",
    "by": "nature",
}


def _picture(scene: Scene) -> str:
    console = Console(file=io.StringIO(), width=110, color_system=None, force_terminal=False)
    console.print(draw(scene))
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


def _plain(*events: dict[str, Any]) -> list[str]:
    out = io.StringIO()
    display = PlainDisplay(Console(file=out, width=200, highlight=False))
    for event in events:
        display.show(event)
    return out.getvalue().splitlines()


def test_the_picture_shows_time_mode_grade_and_milliseconds() -> None:
    scene = Scene()
    for event in (START, SCAN, MOVE):
        scene.apply(event)
    text = _picture(scene)
    for words in ("00:31 of 10:00", "mode control", "estimate solved in 12.3 ms", "0.9412 pu at 114.1"):
        assert words in text
    for words in ("71.2 kW", "2,500.0 kW of 2,000.0 kW allowed", "120", "114.1 is 0.009 pu low"):
        assert words in text


def test_what_is_not_known_is_shown_as_not_known() -> None:
    scene = Scene()
    scene.apply(START)
    scene.apply({**SCAN, "v_min_pu": None, "v_min_node": "", "losses_w": None, "import_w": None, "grade": "failed"})
    assert scene.lowest is None
    assert scene.losses_w is None
    assert scene.import_w is None
    assert "estimate failed" in _picture(scene)
    assert "0.0 kW" not in _picture(scene)


def test_a_voltage_outside_the_feeders_limits_is_marked() -> None:
    scene = Scene()
    scene.apply(START)
    scene.apply(SCAN)
    assert scene.lowest is not None
    assert not scene.lowest.within
    assert scene.highest is not None
    assert scene.highest.within


def test_a_service_that_is_down_is_said() -> None:
    scene = Scene()
    scene.apply(START)
    scene.apply({"event": "scan", "t": 40.0, "service_up": False})
    assert "SERVICE DOWN" in _picture(scene)
    assert scene.mode == ""


def test_an_event_of_a_later_bench_changes_nothing() -> None:
    scene = Scene()
    scene.apply({"event": "something_new", "t": 5.0})
    assert list(scene.beats) == []


def test_plain_lines_tell_moves_and_story_and_the_state_now_and_then() -> None:
    lines = _plain(START, SCAN, {**SCAN, "t": 32.0}, MOVE, FAULT)
    assert lines == [
        "00:30  control, estimate solved, 12.3 ms, low 0.9412 pu at 114.1, high 1.0388 pu at 83.2, losses 71.2 kW,"
        " import 2500 of 2000 kW, 120 customers off",
        "00:31  voltvar: capacitor.c83 1 step: 114.1 is 0.009 pu low",
        "03:00  fault on line.l67",
    ]
