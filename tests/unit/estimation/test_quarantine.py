"""Meters that are bad again and again: out, watched, and in again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from adms.core.estimate import Estimate, Innovations, NotEstimated, Use
from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.estimation import EstimatorState, QuarantinePolicy, estimate
from adms.estimation.quarantine import EMPTY, Quarantine, quarantined
from tests.estimation_study.draws import noise, scan_of
from tests.estimation_study.gross_errors import redundancy
from tests.estimation_study.plans import Extent
from tests.estimation_study.studies import Study, study

RULES = QuarantinePolicy(bad_scans=3, fine_scans=4, fine_sigmas=3.0)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEYS = (
    PointKey(kind=PointKind.V_MAGNITUDE, element="a", phase=1),
    PointKey(kind=PointKind.P_FLOW, element="b", phase=1),
)


def said(use: Use, normalized: float) -> Innovations:
    """Of the first point; the second is always in use and fine."""
    return Innovations(
        keys=KEYS,
        residual=np.array([normalized, 0.0]),
        residual_sigma=np.ones(2),
        normalized=np.array([normalized, 0.0]),
        critical=np.zeros(2, dtype=np.bool_),
        use=(use, Use.USED),
        why=("", ""),
    )


def after(state: Quarantine, *scans: tuple[Use, float]) -> Quarantine:
    for i, (use, normalized) in enumerate(scans):
        state = quarantined(state, said(use, normalized), time=NOON + timedelta(seconds=i), policy=RULES)
    return state


BAD, FINE, SILENT = (Use.REJECTED, 9.0), (Use.USED, 0.5), (Use.NOT_USED, np.nan)
AWAY, CLOSE = (Use.NOT_USED, 5.0), (Use.NOT_USED, -0.5)


def test_a_point_is_quarantined_after_so_many_rejections_one_after_the_other() -> None:
    assert not after(EMPTY, BAD, BAD).excluded
    assert after(EMPTY, BAD, BAD, BAD).excluded == {KEYS[0]: "in quarantine since 2026-01-01T12:00:02+00:00"}


def test_one_good_scan_between_starts_the_count_again() -> None:
    assert not after(EMPTY, BAD, BAD, FINE, BAD, BAD).excluded
    assert after(EMPTY, BAD, FINE) == EMPTY


def test_silence_is_no_sign_of_health() -> None:
    assert after(EMPTY, BAD, SILENT, BAD, SILENT, BAD).excluded
    assert after(EMPTY, BAD, BAD, BAD, CLOSE, CLOSE, SILENT, SILENT, CLOSE).excluded


def test_a_point_is_used_again_after_so_many_agreements_one_after_the_other() -> None:
    inside = after(EMPTY, BAD, BAD, BAD)
    assert after(inside, CLOSE, CLOSE, CLOSE).excluded
    assert after(inside, CLOSE, CLOSE, AWAY, CLOSE, CLOSE, CLOSE).excluded
    assert after(inside, CLOSE, CLOSE, CLOSE, CLOSE) == EMPTY


def one_study(name: str = "34") -> Study:
    one = study(name, extent=Extent(flows=4))
    return replace(one, policy=replace(one.policy, quarantine=RULES))


def readings(one: Study, scan: int, *, bad: int, error_sigmas: float) -> FloatArray:
    value = one.drawn(seed=3, first=0, count=1)[0].readings(one.referee.meters)[:, 0]
    value = value + one.plan.sigma * noise(17, scan, len(value))
    value[bad] += error_sigmas * one.plan.sigma[bad]
    return np.asarray(value)


def place(one: Study, got: Estimate, point: int) -> int:
    return got.innovations.keys.index(one.plan.keys[point])


def test_a_bad_meter_leaves_the_estimate_and_comes_back_when_it_is_well() -> None:
    one = one_study()
    bad = int(redundancy(one).testable[0])
    state: EstimatorState | None = None
    uses, quarantine = [], []
    for scan in range(12):
        error = 15.0 if scan < 5 else 0.0
        state, got = one.scan(readings(one, scan, bad=bad, error_sigmas=error), state=state)
        at = place(one, got, bad)
        uses.append(got.innovations.use[at])
        quarantine.append(got.innovations.why[at].startswith("in quarantine since"))
        if 3 <= scan < 5:
            # Watched: the error shows, though the estimate does not rest on it.
            assert got.innovations.normalized[at] > 3.0
    assert uses[:3] == [Use.REJECTED] * 3
    assert quarantine == [False] * 3 + [True] * 6 + [False] * 3
    assert uses[9:] == [Use.USED] * 3


def test_what_a_watched_meter_is_compared_with_is_what_the_estimate_without_it_leaves_open() -> None:
    """Against the deleted residual by the full covariance: S = R^2 / Omega of the estimate with the meter, and its
    residual times R / Omega (Cook & Weisberg, Residuals and Influence in Regression, 1982, section 2.2.1)."""
    one = one_study("13")
    bad = int(redundancy(one).testable[0])
    state: EstimatorState | None = None
    for scan in range(4):
        value = readings(one, scan, bad=bad, error_sigmas=15.0)
        state, got = one.scan(value, state=state)
    at = place(one, got, bad)
    assert got.innovations.use[at] is Use.NOT_USED
    plain = replace(one, policy=replace(one.policy, quarantine=None, alarm_probability=0.0))
    _, whole = plain.scan(value, state=None)
    r, omega = one.plan.sigma[bad] ** 2, whole.innovations.residual_sigma[at] ** 2
    assert got.innovations.residual_sigma[at] == pytest.approx(r / np.sqrt(omega), rel=0.02)
    assert got.innovations.residual[at] == pytest.approx(whole.innovations.residual[at] * r / omega, rel=0.05)


def test_without_a_policy_nothing_is_quarantined() -> None:
    one = study("34", extent=Extent(flows=4))
    bad = int(redundancy(one).testable[0])
    state: EstimatorState | None = None
    for scan in range(5):
        state, got = one.scan(readings(one, scan, bad=bad, error_sigmas=15.0), state=state)
    assert got.innovations.use[place(one, got, bad)] is Use.REJECTED


def test_a_scan_without_a_picture_lets_nobody_out() -> None:
    one = one_study()
    bad = int(redundancy(one).testable[0])
    state: EstimatorState | None = None
    for scan in range(4):
        state, got = one.scan(readings(one, scan, bad=bad, error_sigmas=15.0), state=state)
    assert got.innovations.why[place(one, got, bad)].startswith("in quarantine since")
    taken = scan_of(one.arrays, one.plan, value=readings(one, 4, bad=bad, error_sigmas=15.0))
    kept, nothing = estimate(
        replace(taken, value=taken.value[:-1]),
        arrays=one.arrays,
        grid=one.grid,
        unknown=frozenset(),
        prior=one.prior,
        policy=one.policy,
        state=state,
    )
    assert isinstance(nothing, NotEstimated)
    _, got = one.scan(readings(one, 5, bad=bad, error_sigmas=15.0), state=kept)
    assert got.innovations.why[place(one, got, bad)].startswith("in quarantine since")
