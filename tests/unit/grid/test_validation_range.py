"""Numbers that overflow whatever is computed with them are refused; each of these was found among mutated models."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from adms.grid.model import ComplexMatrix, NetworkModel, VoltageLaw
from adms.grid.validation import check
from tests.unit.powerflow.networks import four_buses

Change = Callable[[NetworkModel], NetworkModel]


def _one(matrix: ComplexMatrix, value: float) -> ComplexMatrix:
    return replace(matrix, im=((value, *matrix.im[0][1:]), *matrix.im[1:]))


def _branch(model: NetworkModel, value: float) -> NetworkModel:
    first = model.branches[0]
    spoiled = replace(first, y_primitive_siemens=_one(first.y_primitive_siemens, value))
    return replace(model, branches=(spoiled, *model.branches[1:]))


def _source(model: NetworkModel) -> NetworkModel:
    first = model.sources[0]
    spoiled = replace(first, y_primitive_siemens=_one(first.y_primitive_siemens, 1e308))
    return replace(model, sources=(spoiled, *model.sources[1:]))


def _load(model: NetworkModel, **changes: object) -> NetworkModel:
    return replace(model, loads=(replace(model.loads[0], **changes), *model.loads[1:]))  # type: ignore[arg-type]


def _der(model: NetworkModel, **changes: object) -> NetworkModel:
    return replace(model, ders=(replace(model.ders[0], **changes), *model.ders[1:]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda m: _branch(m, 1e308), "y_primitive_siemens"),
        (_source, "y_primitive_siemens"),
        (lambda m: _load(m, law=VoltageLaw(e_frac=1.0, exponent=2.0**63)), "law.exponent"),
        (lambda m: _load(m, law=VoltageLaw(e_frac=1.0, exponent=-1e30)), "law.exponent"),
        (lambda m: _load(m, law=VoltageLaw(z_frac=1e300, i_frac=-1e300, p_frac=1.0)), "law.z_frac"),
        (lambda m: _load(m, v_low_pu=1e-300), "v_low_pu"),
        (lambda m: _load(m, v_high_pu=1e300), "v_high_pu"),
        (lambda m: _der(m, v_low_pu=1e-300), "v_low_pu"),
        (lambda m: _der(m, normal_q_injection_var=1e308), "normal_q_injection_var"),
    ],
)
def test_a_number_that_no_arithmetic_stands_is_refused_by_its_field(change: Change, field: str) -> None:
    assert field in {problem.field for problem in check(change(four_buses()))}


def test_an_infinite_admittance_is_a_problem_and_not_a_warning() -> None:
    assert "y_primitive_siemens" in {problem.field for problem in check(_branch(four_buses(), float("inf")))}


def test_the_networks_of_the_other_tests_are_within_the_range() -> None:
    assert check(four_buses()) == ()
