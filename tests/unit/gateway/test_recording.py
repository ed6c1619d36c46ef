"""Recordings as people write them."""

from pathlib import Path

import pytest

from adms.client import InputError, PointKind, Quality
from adms.gateway.recording import Recording, read_recording

HEADER = "time_s,kind,element,side,phase,value,sigma,quality\n"


def _read(path: Path, text: str) -> Recording:
    path.write_text(text)
    return read_recording(path)


def test_rows_of_one_time_are_one_frame(tmp_path: Path) -> None:
    recording = _read(
        tmp_path / "r.csv",
        HEADER
        + "0,v_magnitude_v,150,0,1,2401.8,9.6,\n"
        + "0,p_flow_w,line.l115,0,1,1.2e6,12e3,suspect\n"
        + "2,v_magnitude_v,150,0,1,2400.1,9.6,good\n",
    )
    assert [(point.kind, point.element, point.phase, point.sigma) for point in recording.points] == [
        (PointKind.V_MAGNITUDE, "150", 1, 9.6),
        (PointKind.P_FLOW, "line.l115", 1, 12e3),
    ]
    first, second = recording.frames
    assert (first.time_s, dict(first.value), dict(first.quality)) == (0.0, {0: 2401.8, 1: 1.2e6}, {1: Quality.SUSPECT})
    assert (second.time_s, dict(second.value), dict(second.quality)) == (2.0, {0: 2400.1}, {})


def test_sigma_and_quality_may_be_left_out(tmp_path: Path) -> None:
    text = "time_s,kind,element,side,phase,value\n0,switch_closed,LINE.SW2,,,1\n"
    recording = _read(tmp_path / "r.csv", text)
    assert recording.points[0].sigma is None
    assert recording.points[0].element == "line.sw2"
    assert dict(recording.frames[0].quality) == {}


def test_every_problem_is_named_by_line(tmp_path: Path) -> None:
    text = (
        HEADER
        + "0,volts,150,0,1,2401.8,,\n1,soc_frac,,0,0,nan,,fine\n5,soc_frac,der.b,0,0,1,,\n4,soc_frac,der.b,0,0,1,,\n"
    )
    with pytest.raises(InputError) as refused:
        _read(tmp_path / "r.csv", text)
    found = [(problem.element.rpartition(":")[2], problem.field) for problem in refused.value.problems]
    assert found == [("2", "kind"), ("3", "element"), ("3", "quality"), ("3", "value"), ("5", "time_s")]


def test_a_missing_column_a_missing_file_and_an_empty_one_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"side, phase: column is missing"):
        _read(tmp_path / "r.csv", "time_s,kind,element,value\n")
    with pytest.raises(InputError, match="cannot be read"):
        read_recording(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="holds no values"):
        _read(tmp_path / "r.csv", HEADER)
