"""Numbers beyond any arithmetic: finite, and far past what any network has, so that powers and admittances made of them
overflow. The bounds are orders of magnitude away from everything real; slips of units are `adms.grid.plausibility`."""

import itertools
from collections.abc import Iterable

from adms.core.errors import Problem
from adms.grid.model import Branch, Capacitor, ComplexMatrix, Der, Load, NetworkModel, Source, TapChanger

_SIEMENS_MAX = 1e15
"""A metre of busbar has 1e5."""
_EXPONENT_MAX = 20.0
_SHARE_MAX = 1e3
"""Of a load law: shares of both signs are fitted, and add up to 1."""
_V_PU_MIN = 1e-6
_V_PU_MAX = 1e6
_POWER_MAX = 1e12
"""W and var of one element."""
_ANGLE_MAX_RAD = 1e6


def range_problems(model: NetworkModel) -> Iterable[Problem]:
    """Every number that is finite and cannot be computed with."""
    for element in itertools.chain[Source | Branch | Capacitor](model.sources, model.branches, model.capacitors):
        for field, matrix in _matrices(element):
            most = max((abs(x) for part in (matrix.re, matrix.im) for row in part for x in row), default=0.0)
            yield from _within(element.id, field, most, most=_SIEMENS_MAX)
    for source in model.sources:
        for field, values in (("v_magnitude_pu", source.v_magnitude_pu), ("v_angle_rad", source.v_angle_rad)):
            for value in values:
                yield from _within(source.id, field, value, most=_ANGLE_MAX_RAD)
    for injector in itertools.chain[Load | Der](model.loads, model.ders):
        yield from injector_range_problems(injector)


def injector_range_problems(injector: Load | Der) -> Iterable[Problem]:
    """The same of one load or DER: its law cannot be evaluated where there are any."""
    yield from _limit(injector.id, "v_low_pu", injector.v_low_pu)
    yield from _limit(injector.id, "v_high_pu", injector.v_high_pu)
    if isinstance(injector, Der):
        for field in ("normal_p_injection_w", "normal_q_injection_var"):
            yield from _within(injector.id, field, getattr(injector, field), most=_POWER_MAX)
        return
    for name, law in (("law", injector.law), ("q_law", injector.q_law)):
        if law is None:
            continue
        for share in ("z_frac", "i_frac", "p_frac", "e_frac"):
            yield from _within(injector.id, f"{name}.{share}", getattr(law, share), most=_SHARE_MAX)
        yield from _within(injector.id, f"{name}.exponent", law.exponent, most=_EXPONENT_MAX)


def _matrices(element: Source | Branch | Capacitor) -> Iterable[tuple[str, ComplexMatrix]]:
    if isinstance(element, Capacitor):
        yield "y_step_siemens", element.y_step_siemens
        return
    yield "y_primitive_siemens", element.y_primitive_siemens
    taps: TapChanger | None = element.taps if isinstance(element, Branch) else None
    for primitive in taps.primitives if taps is not None else ():
        yield f"taps.primitives.{primitive.position}", primitive.y_primitive_siemens


def _within(element: str, field: str, value: float, *, most: float) -> Iterable[Problem]:
    if most < abs(value) < float("inf"):
        yield Problem(element=element, field=field, value=str(value), message=f"must not be beyond {most:g}")


def _limit(element: str, field: str, value: float | None) -> Iterable[Problem]:
    """A voltage limit: 0 is none."""
    if value is not None and (0.0 < value < _V_PU_MIN or _V_PU_MAX < value < float("inf")):
        message = f"must be 0 or between {_V_PU_MIN:g} and {_V_PU_MAX:g}"
        yield Problem(element=element, field=field, value=str(value), message=message)
