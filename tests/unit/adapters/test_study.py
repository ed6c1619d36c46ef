"""Study files as people write them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adms.adapters.study import read_study
from adms.core.errors import InputError
from adms.grid.faults import FaultKind
from adms.grid.model import DerKind
from adms.grid.study import Chosen, Quantity

HEAD = 'schema_version = 1\nname = "noon"\n'


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.toml"
    path.write_text(HEAD + text)
    return path


def test_a_study_is_read_with_the_csv_beside_it(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("time_s,home\n0,0.5\n900,0.75\n")
    study = read_study(
        _file(
            tmp_path,
            """
positions = {open = ["a"], close = ["b"]}
tap = [{element = "t", position = -3}]
capacitor = [{element = "c", steps = 0}]
[[load]]
load_class = "home"
scale_frac = 0.5
[[der]]
kind = "pv"
p_injection_w = 1e3
[[der]]
element = "der.new"
kind = "battery"
bus = "7"
s_max_va = 5e3
[[forecast]]
load_class = "home"
quantity = "scale_frac"
csv = "p.csv"
column = "home"
[[fault]]
bus = "7"
kind = "line_line"
phases = [1, 3]
r_fault_ohm = 0.5
start_s = 60.0
clear_s = 61.0
[interval]
start = 2026-07-01T12:00:00+02:00
step_s = 900.0
steps = 4
""",
        )
    )
    assert (study.opened, study.closed, study.taps, study.capacitors) == (("a",), ("b",), (("t", -3),), (("c", 0),))
    assert study.loads[0].chosen == Chosen(load_class="home")
    assert study.ders[0].chosen == Chosen(der_kind=DerKind.PV)
    new = study.new_ders[0].der
    assert (new.p_max_w, new.p_min_w, new.q_max_var) == (0.0, 0.0, 5e3)
    assert (study.forecasts[0].times_s, study.forecasts[0].values) == ((0.0, 900.0), (0.5, 0.75))
    assert study.forecasts[0].quantity is Quantity.SCALE
    assert study.faults[0].kind is FaultKind.LINE_LINE
    assert study.start == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert study.times_s == (0.0, 900.0, 1800.0, 2700.0)


@pytest.mark.parametrize(
    ("text", "element", "words"),
    [
        ("[[load]]\nelement = 'x'\n", "x", "needs either p_w and q_var or scale_frac"),
        ("[[load]]\np_w = 1.0\n", "load", "needs exactly one of"),
        ("[[load]]\nelement = 'x'\np_w = '1'\n", "x", "valid number"),
        ("[[load]]\nelement = 'x'\np_w = nan\n", "x", "finite number"),
        ("[[load]]\nelement = 'x'\np_kw = 1.0\n", "x", "Extra inputs"),
        ("[[der]]\nelement = 'x'\nbus = '1'\n", "x", "needs element, kind and s_max_va"),
        ("[[der]]\nelement = 'x'\nq_max_var = 1.0\n", "x", "they go with bus"),
        (
            "[[fault]]\nbus = '1'\nkind = 'arc'\nphases = [1]\nr_fault_ohm = 0.0\nstart_s = 0.0\n",
            "fault",
            "three_phase",
        ),
        (
            "[[forecast]]\ndefault = true\nquantity = 'p_w'\nvalues = [1.0]\n",
            "forecast",
            "values need step_s or times_s",
        ),
        ("[[forecast]]\nder_kind = 'pv'\nquantity = 'p_w'\nvalues = [1.0]\nstep_s = 1.0\n", "forecast", "is of loads"),
        (
            "[[forecast]]\ndefault = true\nquantity = 'p_w'\nvalues = [1.0, 2.0]\ntimes_s = [3.0, 3.0]\n",
            "forecast[0]",
            "must rise",
        ),
        (
            "[[forecast]]\ndefault = true\nquantity = 'p_w'\ncsv = 'no.csv'\ncolumn = 'a'\nstep_s = 1.0\n",
            "no.csv",
            "no such file",
        ),
        (
            "[[forecast]]\ndefault = true\nquantity = 'p_w'\ncsv = 'p.csv'\ncolumn = 'away'\nstep_s = 1.0\n",
            "p.csv",
            "it has time_s, home, bad",
        ),
        (
            "[[forecast]]\ndefault = true\nquantity = 'p_w'\ncsv = 'p.csv'\ncolumn = 'bad'\nstep_s = 1.0\n",
            "p.csv",
            "line 3: is not a number",
        ),
        ("[interval]\nstart = 2026-07-01T12:00:00\nstep_s = 1.0\nsteps = 1\n", "interval", "offset from UTC"),
        ("[interval]\nstep_s = 1.0\nsteps = 10000000000\n", "interval", "less than or equal"),
    ],
)
def test_what_is_wrong_is_told_with_its_table(tmp_path: Path, text: str, element: str, words: str) -> None:
    (tmp_path / "p.csv").write_text("time_s,home,bad\n0,0.5,1\n900,0.75,x\n")
    with pytest.raises(InputError) as refused:
        read_study(_file(tmp_path, text))
    (problem,) = refused.value.problems
    assert element in problem.element
    assert words in problem.message


@pytest.mark.parametrize("csv", ["../secret.csv", "{folder}/secret.csv", "link.csv"])
def test_a_csv_outside_the_studys_folder_is_refused_and_not_repeated(tmp_path: Path, csv: str) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text("hidden,other\n1,2\n")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    table = "[[forecast]]\ndefault = true\nquantity = 'p_w'\ncolumn = 'a'\nstep_s = 1.0\n"
    with pytest.raises(InputError) as refused:
        read_study(_file(folder, f"{table}csv = '{csv.format(folder=tmp_path)}'\n"))
    (problem,) = refused.value.problems
    assert problem.message == "is not in the study's folder or below it"
