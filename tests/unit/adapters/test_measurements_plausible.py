"""Numbers that can be read and hardly be meant: refused where no network has them, else a warning with their lines."""

import random
from pathlib import Path

import pytest

from adms.adapters.measurements import LINE_MAX, read_measurements
from adms.adapters.measurements_rows import Measurements
from adms.core.errors import InputError
from tests.unit.adapters.metered import metered

MODEL = metered()
HEAD = "kind,element,phase,side,value,sigma,age_s\n"
FINE = "v_magnitude_v,1,1,,2400,9,\n"
"""Line 2; bus 1 has 2,400 V to ground."""


def read(tmp_path: Path, rows: str) -> Measurements:
    (tmp_path / "m.csv").write_text(HEAD + rows, encoding="utf-8")
    return read_measurements(tmp_path / "m.csv", model=MODEL)


def complaints(tmp_path: Path, rows: str) -> list[str]:
    with pytest.raises(InputError) as refused:
        read(tmp_path, rows)
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("v_magnitude_v,1,2,,1e8,9,", "value is beyond anything that there is (1e+07 V): it is asked in V"),
        ("v_magnitude_v,1,2,,1e300,9,", "value is beyond anything that there is"),
        ("p_flow_w,line.l12,1,,1e15,1e3,", "value is beyond anything that there is (1e+10 W): it is asked in W"),
        ("p_flow_w,line.l12,1,,-1e308,1e3,", "value is beyond anything that there is"),
        ("q_flow_var,line.l12,1,,1e15,1e3,", "value is beyond anything that there is (1e+10 var)"),
        ("i_magnitude_a,line.l12,1,,1e7,1,", "value is beyond anything that there is (1e+06 A)"),
        ("i_angle_rad,line.l12,1,,1e5,1,", "value is beyond anything that there is (1e+04 rad)"),
        ("v_magnitude_v,1,2,,٢٤٠٠,9,", "value is not a finite number in the digits 0 to 9 (given: ٢٤٠٠)"),
        ("v_magnitude_v,1,2,,2400,９,", "sigma is not a finite number in the digits 0 to 9"),
        ("v_magnitude_v,1,٢,,2400,9,", "phase must be 1, 2 or 3"),
        ("v_magnitude_v,1,²,,2400,9,", "phase must be 1, 2 or 3"),
        ("v_magnitude_v,1,2e0,,2400,9,", "phase must be 1, 2 or 3"),
        ("v_magnitude_v,1,+2,,2400,9,", "phase must be 1, 2 or 3"),
        ("v_magnitude_v,1,1e999,,2400,9,", "phase must be 1, 2 or 3"),
        ("p_flow_w,line.l12,1,１,1,9,", "side must be 0 (fr) or 1 (to)"),
        ("v_magnitude_v,1\x1b[2J,1,,2400,9,", "no such bus (given: 1\\x1b[2J)"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line_and_the_rest_with_it(tmp_path: Path, row: str, told: str) -> None:
    (complaint,) = complaints(tmp_path, FINE + row + "\n")
    assert complaint.startswith(f"m.csv line 3: {told}")
    assert complaint.isprintable()


def test_a_row_of_unbelievable_length_is_told_as_that(tmp_path: Path) -> None:
    for row in (f"v_magnitude_v,{'a' * 200_000},1,,1,1,", "," * LINE_MAX + ",", '"' + "b" * 200_000):
        (complaint,) = complaints(tmp_path, FINE + row + "\n")
        assert complaint.startswith(f"m.csv line 3: has {len(row)} characters, {LINE_MAX} at most: is it one row?")
        assert len(complaint) < 200


def test_whole_numbers_are_read_as_tables_with_gaps_write_them(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "p_flow_w,line.l12,2.0,1.0,1,9,\n").rows
    assert (row.key.phase, row.key.side) == (2, 1)


def test_a_power_of_all_of_one_phase_is_the_same_point_as_that_of_the_phase(tmp_path: Path) -> None:
    rows = "p_injection_w,load.l4,,,-4e4,1e3,\np_injection_w,load.l4,1,,-5e4,1e3,\n"
    (complaint,) = complaints(tmp_path, rows)
    assert complaint.startswith("m.csv line 3: the same point as in line 2")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("v_magnitude_v,1,2,,2.4,0.01,", "line 3: less than a tenth of nominal counts as no voltage: kV or pu where V"),
        (
            "v_magnitude_v,1,2,,1.01,0.01,",
            "line 3: less than a tenth of nominal counts as no voltage: kV or pu where V",
        ),
        ("v_magnitude_v,1,2,,4157,9,", "line 3: far from nominal: between other phases, or of another bus or base?"),
        ("v_line_v,1,12,,2400,9,", "line 3: far from nominal: between other phases, or of another bus or base?"),
        ("v_average_v,1,2,,1200,9,", "line 3: far from nominal: between other phases, or of another bus or base?"),
        ("v_magnitude_v,1,2,,7200,9,", "line 3: three times nominal and more is not used: of another bus or base?"),
        (
            "v_magnitude_v,1,2,,2400,2400,",
            "line 3: with this sigma a voltage says nothing (sigma 2400 V at 1, nominal 24",
        ),
        ("v_angle_rad,1,2,,-120,0.1,", "line 3: angles are asked in rad, and these are more than a turn: degrees?"),
        ("v_angle_rad,1,2,,-2.09,5,", "line 3: with this sigma an angle says nothing (sigma 5 rad)"),
        ("p_flow_w,line.l12,1,,1e9,1e3,", "line 3: more than 10 times what all loads and DER of the model have"),
        ("p_injection_w,load.l4,1,,-4e7,1e3,", "line 3: more than 10 times what all loads and DER of the model have"),
        ("i_magnitude_a,line.l12,1,,3e4,1,", "line 3: more than 10 times what all loads and DER of the model have"),
        (
            "q_flow_var,line.l12,1,,1,1e9,",
            "line 3: a sigma of more than 10 times all loads and DER of the model says n",
        ),
    ],
)
def test_what_looks_like_a_slip_is_taken_with_a_warning_that_names_the_line(
    tmp_path: Path, row: str, told: str
) -> None:
    got = read(tmp_path, FINE + row + "\n")
    assert len(got.rows) == 2
    (warning,) = got.warnings
    assert warning.startswith(told)


@pytest.mark.parametrize(
    "row",
    [
        "v_magnitude_v,1,2,,0,9,",  # dead is what a meter may say
        "v_magnitude_v,1,2,,1700,9,",
        "v_magnitude_v,1,2,,3100,9,",
        "v_line_v,1,12,,4157,9,",
        "v_angle_rad,1,2,,6.28,0.1,",
        "p_flow_w,line.l12,1,,-3e5,1e4,",
        "i_magnitude_a,line.l12,1,,400,5,",
    ],
)
def test_what_a_network_may_well_say_is_taken_in_silence(tmp_path: Path, row: str) -> None:
    assert read(tmp_path, FINE + row + "\n").warnings == ()


def test_slips_of_one_sort_are_one_warning(tmp_path: Path) -> None:
    rows = "".join(f"v_magnitude_v,{bus},1,,2.4,0.01,\n" for bus in ("1", "2", "3", "4"))
    (warning,) = read(tmp_path, rows).warnings
    assert warning.startswith("lines 2, 3, 4, 5: less than a tenth of nominal")


def test_whatever_stands_in_a_file_it_is_read_or_refused_in_words(tmp_path: Path) -> None:
    """Two thousand rows of cells that people and programs get wrong, a hundred in a file."""
    chosen = random.Random(5)
    cells = [
        *("", "0", "1", "2", "3", "12", "31", "-1", "1.0", "1e5", "1e400", "-0", "nan", "inf", "0x1", "1_0", "٣", "½"),
        *(
            "v_magnitude_v",
            "p_flow_w",
            "energy_wh",
            "tap_position",
            "i_angle_rad",
            "line.l12",
            "load.l4",
            "l4",
            "source",
        ),
        *(
            "fr",
            "TO",
            '"',
            '""',
            '"a,b"',
            "\x00".replace("\x00", "\x01"),
            "\u2028",
            "ß",
            "İ",
            "a" * 300,
            "=1+1",
            "#",
            "😀",
        ),
    ]
    for _ in range(20):
        rows = "".join(",".join(chosen.choice(cells) for _ in range(chosen.randint(1, 9))) + "\n" for _ in range(100))
        told = complaints(tmp_path, rows)
        assert all(one.startswith("m.csv line ") for one in told)
