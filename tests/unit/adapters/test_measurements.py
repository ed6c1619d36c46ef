"""Measurements from CSV: liberal in form, and every mistake told with its line and what to do."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from adms.adapters import measurements as module
from adms.adapters.importers.opendss import import_opendss
from adms.adapters.measurements import OPTIONAL, REQUIRED, read_measurements
from adms.adapters.measurements_rows import KINDS, Measurement, Measurements
from adms.core.errors import InputError
from adms.core.ids import ModelVersion
from adms.core.telemetry import PointKey, PointKind, Quality
from tests.unit.adapters.metered import metered

MODEL = metered()
HEAD = "kind,element,phase,side,value,sigma,age_s\n"


def read(tmp_path: Path, content: str | bytes) -> Measurements:
    path = tmp_path / "m.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_measurements(path, model=MODEL)


def one(tmp_path: Path, row: str, *, head: str = HEAD) -> Measurement:
    (got,) = read(tmp_path, head + row).rows
    return got


def complaints(tmp_path: Path, content: str | bytes) -> list[str]:
    with pytest.raises(InputError) as refused:
        read(tmp_path, content)
    return [str(problem) for problem in refused.value.problems]


def test_a_row_is_a_point_with_value_sigma_and_age(tmp_path: Path) -> None:
    got = one(tmp_path, "p_flow_w,line.l12,2,1,-57e3,1e3,12.5")
    key = PointKey(kind=PointKind.P_FLOW, element="line.l12", side=1, phase=2)
    assert got == Measurement(line=2, key=key, value=-57e3, sigma=1e3, age_s=12.5)


@pytest.mark.parametrize(
    ("kind", "rest", "phase"),
    [
        ("v_magnitude_v", "1,3,,2400,9", 3),
        ("v_line_v", "1,31,,4160,9", 31),
        ("v_angle_rad", "1,2,,-2.1,0.001", 2),
        ("v_average_v", "1,1,,2400,9", 1),
        ("p_flow_w", "line.l12,1,0,1,9", 1),
        ("q_flow_var", "line.l12,0,1,-1,9", 0),
        ("i_magnitude_a", "line.l12,1,1,30,1", 1),
        ("i_angle_rad", "line.l12,1,0,-0.5,0.01", 1),
        ("p_injection_w", "load.l3a,1,,-6e4,1e3", 1),
        ("q_injection_var", "source.main,0,,1e5,1e3", 0),
        ("p_injection_w", "3,0,,-1e5,1e3", 0),
        ("p_average_w", "der.pv3,,,2e4,1e3", 0),
        ("q_average_var", "load.l4,1,,-1e4,1e3", 1),
        ("tap_position", "line.l12,,,-16,", 0),
        ("switch_closed", "line.s23,,,0,", 0),
        ("capacitor_steps", "capacitor.c3,,,2,", 0),
        ("soc_frac", "der.pv3,,,0.5,", 0),
    ],
)
def test_every_kind_of_point_is_read(tmp_path: Path, kind: str, rest: str, phase: int) -> None:
    got = one(tmp_path, f"{kind},{rest},")
    assert (got.key.kind.value, got.key.phase) == (kind, phase)


def test_an_energy_becomes_the_mean_power_of_its_interval(tmp_path: Path) -> None:
    head = "kind,element,phase,value,sigma,interval_s\n"
    # By hand: 15 Wh in half an hour are 30 W; without an interval it is a quarter of an hour, 60 W.
    half = one(tmp_path, "energy_wh,load.l4,1,-15,1,1800", head=head)
    assert (half.key.kind, half.value, half.sigma) == (PointKind.P_AVERAGE, -30.0, 2.0)
    quarter = one(tmp_path, "energy_varh,load.l4,1,-15,1,", head=head)
    assert (quarter.key.kind, quarter.value, quarter.sigma) == (PointKind.Q_AVERAGE, -60.0, 4.0)
    # An interval does not change what is given as power.
    assert one(tmp_path, "p_average_w,load.l4,1,-15,1,1800", head=head).value == -15.0


def test_form_is_taken_as_people_write_it(tmp_path: Path) -> None:
    plain = read(tmp_path, HEAD + "v_magnitude_v,1,1,,2400,9.6,0\np_injection_w,load.l4,1,,-4e4,400,60\n")
    text = (
        "\ufeff# made by hand\r\n\r\n"
        ' Note , SIGMA,value ,phase,"Element",kind, age \r\n'
        '"a remark, with a comma", 9.6 , 2400, 1.0 ,1,V_MAGNITUDE_V\r\n'
        "   # between\r\n"
        ",,,,,,\r\n"
        '"she said ""no"" " ,400,-40000.0,1,L4 , p_injection_w,60,,\r\n'
        "\r\n"
    )
    told = read(tmp_path, text)
    assert [(r.key, r.value, r.sigma, r.age_s) for r in told.rows] == [
        (r.key, r.value, r.sigma, r.age_s) for r in plain.rows
    ]
    assert [row.line for row in told.rows] == [4, 7]


def test_old_line_ends_are_line_ends(tmp_path: Path) -> None:
    assert len(read(tmp_path, HEAD.strip() + "\rv_magnitude_v,1,1,,2400,9,\rv_magnitude_v,1,2,,2400,9,").rows) == 2


def test_a_phase_that_is_not_given_is_the_only_one_there_is(tmp_path: Path) -> None:
    assert one(tmp_path, "v_magnitude_v,4,,,2400,9,").key.phase == 1
    assert one(tmp_path, "i_magnitude_a,l24,,to,9,1,").key == PointKey(
        kind=PointKind.I_MAGNITUDE, element="line.l24", side=1, phase=1
    )


def test_a_short_name_is_looked_up_among_those_that_have_the_kind(tmp_path: Path) -> None:
    assert one(tmp_path, "p_flow_w,L12,1,,1,1,").key.element == "line.l12"
    assert one(tmp_path, "p_injection_w,Main,1,,1,1,").key.element == "source.main"


def test_what_is_read_is_a_snapshot_of_good_points(tmp_path: Path) -> None:
    got = read(tmp_path, HEAD + "v_magnitude_v,1,1,,2400,9,7\nswitch_closed,line.s23,,,1,0.5,\n")
    taken = got.snapshot(version=ModelVersion("v"))
    assert taken.table.keys == tuple(row.key for row in got.rows)
    np.testing.assert_array_equal(taken.value, [2400.0, 1.0])
    np.testing.assert_array_equal(taken.age_s, [7.0, 0.0])
    # A position has no sigma, whatever stands there.
    assert taken.sigma[0] == 9.0
    assert math.isnan(taken.sigma[1])
    assert set(taken.quality.tolist()) == {int(Quality.GOOD)}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("v_magnitud_v,1,1,,2400,9,", "no such kind; did you mean v_magnitude_v? (given: v_magnitud_v)"),
        ("colour,1,1,,2400,9,", "no such kind; there are v_magnitude_v, "),
        (",1,1,,2400,9,", "kind is missing"),
        ("v_magnitude_v,,1,,2400,9,", "element is missing"),
        ("p_flow_w,line.l13,1,,1,1,", "no such branch; near: line.l12, "),
        ("v_magnitude_v,33,1,,2400,9,", "no such bus; near: 3 (given: 33)"),
        ("p_flow_w,load.l4,1,,1,1,", "load.l4 has no p_flow_w; it has p_injection_w, q_injection_var"),
        ("p_injection_w,line.l12,1,,1,1,", "line.l12 has no p_injection_w; it has p_flow_w, q_flow_var"),
        ("tap_position,line.l24,,,1,,", "line.l24 has no tap_position"),
        ("v_magnitude_v,4,2,,2400,9,", "phase: there are 1 here; name one (given: 2)"),
        ("v_magnitude_v,1,,,2400,9,", "phase: there are 1, 2, 3 here; name one"),
        ("v_magnitude_v,1,a,,2400,9,", "phase must be 1, 2 or 3; 12, 23 or 31 between two; 0 or nothing for all"),
        ("v_magnitude_v,1,1.5,,2400,9,", "phase must be 1, 2 or 3"),
        ("v_line_v,1,13,,2400,9,", "phase: a voltage between two phases has 12, 23 or 31; there are 12, 23, 31"),
        ("v_line_v,4,12,,2400,9,", "phase: there are no two phases here: a voltage to ground is v_magnitude_v"),
        ("p_injection_w,load.l3a,2,,-1,1,", "phase: there are 1 here; 0 or nothing is all of them (given: 2)"),
        ("i_magnitude_a,line.l12,0,,1,1,", "phase: there are 1, 2, 3 here; name one (given: 0)"),
        ("switch_closed,line.s23,1,,1,,", "phase: a position belongs to no one phase: leave it out"),
        ("p_flow_w,line.l12,1,2,1,1,", "side: the branch has no such terminal; 0 or fr is its first"),
        ("p_flow_w,line.l12,1,left,1,1,", "side must be 0 (fr) or 1 (to) of a branch"),
        ("v_magnitude_v,1,1,1,2400,9,", "side: a bus has no sides; leave it out (given: 1)"),
        ("p_injection_w,load.l3a,1,1,-1,1,", "side: only branch flows have a side; leave it out"),
        ("v_magnitude_v,1,1,,2400 V,9,", "value is not a finite number (given: 2400 V)"),
        ("v_magnitude_v,1,1,,2_400,9,", "value is not a finite number (given: 2_400)"),
        ("v_magnitude_v,1,1,,nan,9,", "value is not a finite number (given: nan)"),
        ("p_flow_w,line.l12,1,,-inf,9,", "value is not a finite number (given: -inf)"),
        ("v_magnitude_v,1,1,,,9,", "value is missing: give it, or leave the row out"),
        ("v_magnitude_v,1,1,,-2400,9,", "value must not be negative: it is a magnitude (given: -2400)"),
        ("v_average_v,1,1,,-2400,9,", "value must not be negative: it is a magnitude"),
        ("i_magnitude_a,line.l12,1,,-1,9,", "value must not be negative: it is a magnitude"),
        ("switch_closed,line.s23,,,2,,", "value must be 1 or 0 (given: 2)"),
        ("tap_position,line.l12,,,17,,", "value must be a whole number from -16 to 16 (given: 17)"),
        ("tap_position,line.l12,,,0.5,,", "value must be a whole number from -16 to 16 (given: 0.5)"),
        ("capacitor_steps,capacitor.c3,,,3,,", "value must be a whole number from 0 to 2 (given: 3)"),
        ("soc_frac,der.pv3,,,1.5,,", "value must be from 0 to 1"),
        ("v_magnitude_v,1,1,,2400,,", "sigma is missing: the standard deviation of the meter"),
        ("v_magnitude_v,1,1,,2400,0,", "sigma must be above zero"),
        ("v_magnitude_v,1,1,,2400,-9,", "sigma must be above zero"),
        ("v_magnitude_v,1,1,,2400,inf,", "sigma is not a finite number (given: inf)"),
        ("v_magnitude_v,1,1,,2400,9,-1", "age_s must not be negative"),
        ("v_magnitude_v,1,1,,2400,9,soon", "age_s is not a finite number (given: soon)"),
        ('v_magnitude_v,1,1,,"2400,5",9,', "value is not a finite number (given: 2400,5)"),
        ("v_magnitude_v,1,1,,2400,5,9,6,", "has 9 cells for 7 columns: decimals are written with a point"),
        ('v_magnitude_v,"1,1,,2400,9,', "its double quotes do not match"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_do(tmp_path: Path, row: str, told: str) -> None:
    (complaint,) = complaints(tmp_path, HEAD + "v_magnitude_v,5,1,,2400,9,\n" + row + "\n")
    assert complaint.startswith(f"m.csv line 3: {told}")


def test_all_mistakes_of_all_rows_are_told_at_once(tmp_path: Path) -> None:
    rows = [
        "v_magnitud_v,1,1,,nan,-1,-1",
        "v_magnitude_v,1,1,,2400,9,",
        "p_flow_w,line.l99,7,9,1,1,",
        "v_magnitude_v,1,1,,2400,9,",
    ]
    told = [complaint.split(": ")[0] for complaint in complaints(tmp_path, HEAD + "\n".join(rows))]
    assert told == ["m.csv line 2"] * 4 + ["m.csv line 4"] + ["m.csv line 5"]


def test_the_same_point_twice_names_both_lines(tmp_path: Path) -> None:
    rows = "p_flow_w,line.l12,1,0,1,1,\n\np_flow_w,L12,1,fr,2,1,\nenergy_wh,load.l4,,,1,1,\np_average_w,l4,,,1,1,\n"
    assert [text.partition(":")[0] for text in complaints(tmp_path, HEAD + rows)] == ["m.csv line 4", "m.csv line 6"]
    assert "the same point as in line 2: give one value" in complaints(tmp_path, HEAD + rows)[0]


def test_an_interval_is_a_positive_number_of_seconds(tmp_path: Path) -> None:
    head = "kind,element,phase,value,sigma,interval_s\n"
    told = complaints(
        tmp_path, head + "energy_wh,load.l4,1,-15,1,0\nenergy_varh,load.l4,1,-15,1,hour\nenergy_wh,1,1,1e300,1,1e-9"
    )
    assert "line 2: interval_s must be above zero" in told[0]
    assert "line 3: interval_s is not a finite number" in told[1]
    assert "line 4: over interval_s it is no finite power" in told[2]


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("kind,element,phase,value\n", ["there is no column sigma"]),
        ("kind,element,sgima,value\n", ["there is no column phase, sigma", "no such column; did you mean sigma?"]),
        ("kind,element,phase,value,sigma,sigma\n", ["the column sigma stands 2 times"]),
        ("kind,element,phase,value,sigma,colour\n", ["no such column; a remark goes into the column note"]),
        ("kind;element;phase;value;sigma\n", ["cells are separated by commas, not by semicolons"]),
        ("v_magnitude_v,1,1,,2400,9,\n", ["the first row names the columns: kind, element, phase, value, sigma"]),
        ('kind,"element,phase,value,sigma\n', ["its double quotes do not match"]),
    ],
)
def test_what_is_wrong_with_the_columns_is_told(tmp_path: Path, head: str, told: list[str]) -> None:
    said = complaints(tmp_path, "# first\n" + head + "v_magnitude_v,1,1,2400,9\n")
    assert len(said) == len(told)
    for complaint, expected in zip(said, told, strict=True):
        assert complaint.startswith("m.csv line 2: ")
        assert expected in complaint


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b" \r\n ", "is empty"),
        (b"# only a remark\n\n", "is empty: its first row names the columns"),
        (HEAD.encode(), "has no measurement"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not UTF-8 text"),
        (b"kind,element\x00\x00\n", "is not a text file"),
        ((HEAD + "v").encode("utf-16"), "is not UTF-8 text"),
    ],
)
def test_what_is_no_such_file_is_refused_whole(tmp_path: Path, content: bytes, told: str) -> None:
    (complaint,) = complaints(tmp_path, content)
    assert told in complaint


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path, told in ((tmp_path / "none.csv", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(InputError, match=told):
            read_measurements(path, model=MODEL)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIZE_MAX_BYTES", 1024**2)
    with (tmp_path / "huge.csv").open("wb") as huge:
        huge.truncate(1024**2 + 1)
    with pytest.raises(InputError, match="is larger than 1 MiB"):
        read_measurements(tmp_path / "huge.csv", model=MODEL)


def test_ten_thousand_wrong_names_are_told_in_seconds(tmp_path: Path) -> None:
    rows = "".join(f"v_magnitude_v,no{number},1,,2400,9,\n" for number in range(10_000))
    assert len(complaints(tmp_path, HEAD + rows)) == 10_000


def test_the_example_of_the_documentation_is_one_of_the_feeder_of_the_demonstration(
    tmp_path: Path, project_root: Path
) -> None:
    text = (project_root / "adms" / "schemas" / "measurements.md").read_text()
    example = re.search(r"```csv\n(.*?)```", text, re.DOTALL)
    assert example is not None
    (tmp_path / "m.csv").write_text(example.group(1))
    folder = project_root / "hil" / "feeders" / "ieee123"
    feeder = import_opendss(folder / "IEEE123Master.dss", overlay=folder / "123-operated.toml")
    got = read_measurements(tmp_path / "m.csv", model=feeder)
    assert [row.key.kind.value for row in got.rows] == [
        *("v_magnitude_v", "p_flow_w", "q_flow_var", "i_magnitude_a", "p_average_w", "tap_position", "switch_closed"),
    ]


def test_every_kind_and_column_is_documented(project_root: Path) -> None:
    text = (project_root / "adms" / "schemas" / "measurements.md").read_text()
    for word in (*KINDS, *REQUIRED, *OPTIONAL):
        assert f"`{word}`" in text, word
