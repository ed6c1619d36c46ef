"""Feeders and readings for the tests of positions."""

from functools import cache

from adms.core.positions import PositionVerdict
from adms.core.telemetry import FloatArray
from tests.estimation_study.plans import Extent
from tests.estimation_study.studies import Study, study
from tests.estimation_study.wrong_positions import opened

SWITCH_13 = "line.671692"


def of(name: str, *, at_taps: bool = False) -> Study:
    return study(name, extent=Extent(flows=4, at_taps=at_taps))


@cache
def with_open(name: str, switch: str, seed: int = 41) -> FloatArray:
    one = of(name)
    return one.drawn(seed=seed, count=3, grid=opened(one, switch))[1]


def verdict(verdicts: tuple[PositionVerdict, ...], device: str) -> PositionVerdict:
    return next(v for v in verdicts if v.device == device)
