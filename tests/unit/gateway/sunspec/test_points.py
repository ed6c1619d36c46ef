"""The gateway's table of points against the model definitions of pysunspec2, which it was not made from by program."""

from __future__ import annotations

import pytest
from sunspec2.device import get_model_def

from adms.gateway.sunspec.points import PLACES, Block


@pytest.mark.parametrize("model_id", sorted(PLACES))
def test_every_point_stands_where_the_model_definition_has_it(model_id: int) -> None:
    offset, defined = 0, {}
    for point in get_model_def(model_id)["group"]["points"]:
        defined[point["name"]] = (offset, point["type"], point["size"], point.get("sf", ""))
        offset += point["size"]
    for name, place in PLACES[model_id].items():
        assert (place.offset, place.kind, place.size, place.scale) == defined[name], name


def block(model_id: int, size: int, **registers: int) -> Block:
    words = [0] * size
    for name, word in registers.items():
        words[PLACES[model_id][name].offset] = word
    return Block(model_id=model_id, registers=words)


def test_what_a_device_does_not_implement_is_no_number() -> None:
    """0x8000 of signed points and scale factors, 0xFFFF of unsigned ones (SunSpec)."""
    ac = block(701, 125, W=0x8000, VL1=0xFFFF, Var=100, Var_SF=0x8000)
    assert [ac.value(name) for name in ("W", "VL1", "Var")] == [None, None, None]


@pytest.mark.parametrize(("factor", "watts"), [(1, 50.0), (0xFFFF, 0.5), (10, 5e10), (11, None), (0xFFF5, None)])
def test_a_scale_factor_counts_from_minus_ten_to_ten(factor: int, watts: float | None) -> None:
    assert block(701, 125, W=5, W_SF=factor).value("W") == (None if watts is None else pytest.approx(watts))


def test_a_model_shorter_than_its_definition_lacks_the_points_beyond() -> None:
    assert Block(model_id=701, registers=[701, 10, *[0] * 10]).value("W") is None
    assert Block(model_id=704, registers=[704, 22, *[0] * 23]).raw("WSet") is None
