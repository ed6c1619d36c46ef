"""The discrete search against every combination of positions, and what it never does."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adms.apps.voltvar.controls import discrete_controls
from adms.apps.voltvar.picture import Picture, picture_of
from adms.apps.voltvar.search import Positions, moved, search, wear_w
from adms.apps.voltvar.study import Score, Study
from adms.estimation.prior import nominal_loads
from tests.unit.apps.voltvar.feeder import arrays, loads, model, view_of
from tests.unit.apps.voltvar.policies import POLICY

NET = arrays(model(z_frac=0.3))


def study_at(load_factor: float) -> tuple[Study, Picture, tuple]:  # type: ignore[type-arg]
    view = view_of(NET, s_nominal_va=loads(NET, factor=load_factor))
    picture = picture_of(view, sigma_margin=2.0)
    assert isinstance(picture, Picture)
    study = Study(arrays=NET, picture=picture, s_nominal_va=nominal_loads(picture.estimate, NET), policy=POLICY)
    controls, blocked = discrete_controls(view, picture=picture, policy=POLICY)
    assert blocked == ()
    return study, picture, controls


@pytest.mark.parametrize("load_factor", [0.2, 0.5, 0.8, 1.0, 1.2])
def test_the_search_finds_what_exhaustive_search_finds(load_factor: float) -> None:
    """Truth: all 9 taps x 2 x 3 capacitor steps that a plan may reach, each by its own power flow."""
    study, _, controls = study_at(load_factor)
    view = view_of(NET)

    def evaluate(positions: Positions) -> Score | None:
        return study.evaluate(moved(view.grid, controls, positions), q={})

    found = search(controls, evaluate=evaluate, exhausted=lambda: False, policy=POLICY)
    assert found is not None
    ranges = [range(c.minimum, c.maximum + 1) for c in controls]
    best = np.inf
    for positions in product(*ranges):
        steps = sum(abs(p - c.position) for p, c in zip(positions, controls, strict=True))
        score = evaluate(positions)
        if score is not None and steps <= POLICY.moves_per_plan_max:
            best = min(best, score.objective_w + wear_w(controls, positions, policy=POLICY))
    assert found.best.total_w == pytest.approx(best, rel=1e-9)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(load_factor=st.floats(0.05, 1.4))
def test_the_search_is_never_worse_than_doing_nothing_and_stays_in_range(load_factor: float) -> None:
    study, _, controls = study_at(load_factor)
    view = view_of(NET)
    found = search(
        controls,
        evaluate=lambda positions: study.evaluate(moved(view.grid, controls, positions), q={}),
        exhausted=lambda: study.exhausted,
        policy=POLICY,
    )
    assert found is not None
    nothing = study.evaluate(view.grid, q={})
    assert nothing is not None
    assert found.best.total_w <= nothing.objective_w
    assert all(c.minimum <= p <= c.maximum for c, p in zip(controls, found.best.positions, strict=True))


def test_the_search_stops_at_its_limit_of_power_flows_and_says_so() -> None:
    study, _, controls = study_at(1.0)
    view = view_of(NET)
    found = search(
        controls,
        evaluate=lambda positions: study.evaluate(moved(view.grid, controls, positions), q={}),
        exhausted=lambda: study.power_flows >= 5,
        policy=POLICY,
    )
    assert found is not None
    assert not found.complete
    assert study.power_flows <= 5
