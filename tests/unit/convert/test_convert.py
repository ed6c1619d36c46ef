"""Every value of the wire is a value of core and back; what is not known is said to be so."""

from typing import Any

import pytest

from adms.convert import common, enums
from adms.core.commands import CapacitorSetpoint, PowerSetpoint, Setpoint, SwitchSetpoint, TapSetpoint
from adms.core.devices import DerCapability
from adms.core.errors import Problem
from adms.core.modes import Mode
from adms.core.telemetry import PointKind
from adms.wire.common.v1 import common_pb2
from adms.wire.control.v1 import control_pb2
from adms.wire.insight.v1 import insight_pb2
from adms.wire.operations.v1 import operations_pb2
from adms.wire.telemetry.v1 import telemetry_pb2

PAIRS: list[tuple[Any, enums.EnumPairs[Any, Any]]] = [
    (common_pb2.Quality, enums.QUALITY),
    (common_pb2.Mode, enums.MODE),
    (common_pb2.OutcomeCode, enums.OUTCOME),
    (telemetry_pb2.PointKind, enums.POINT_KIND),
    (control_pb2.DeviceClass, enums.DEVICE_CLASS),
    (operations_pb2.TagKind, enums.TAG_KIND),
    (operations_pb2.PlanStatus, enums.PLAN_STATUS),
    (insight_pb2.Grade, enums.GRADE),
    (insight_pb2.SigmaSource, enums.SIGMA_SOURCE),
]


@pytest.mark.parametrize(("wire", "pairs"), PAIRS, ids=[wire.DESCRIPTOR.name for wire, _ in PAIRS])
def test_every_value_of_the_wire_but_zero_is_one_of_core(wire: Any, pairs: enums.EnumPairs[Any, Any]) -> None:
    for name, number in wire.items():
        member = pairs.known(number)
        assert (member is None) == (number == 0), name
        if member is not None:
            assert pairs.to_proto(member) == number


def test_names_with_a_unit_and_plain_names_both_line_up() -> None:
    # protos/adms/telemetry/v1/telemetry.proto and protos/adms/common/v1/common.proto
    assert enums.POINT_KIND.to_proto(PointKind.SOC) == telemetry_pb2.POINT_KIND_SOC_FRAC
    assert enums.MODE.to_proto(Mode.CONTROL) == common_pb2.MODE_CONTROL


def test_a_number_of_a_later_version_is_what_the_caller_makes_of_it() -> None:
    assert enums.MODE.known(99) is None
    assert enums.MODE.from_proto(99, unknown=Mode.OBSERVE) is Mode.OBSERVE


@pytest.mark.parametrize(
    "setpoint",
    [
        SwitchSetpoint(closed=False),
        TapSetpoint(position=-16),
        CapacitorSetpoint(steps=0),
        PowerSetpoint(p_injection_w=None, q_injection_var=0.0),
    ],
)
def test_a_setpoint_comes_back_as_it_went(setpoint: Setpoint) -> None:
    assert common.setpoint_from_proto(common.setpoint_to_proto(setpoint)) == setpoint


def test_a_setpoint_of_an_unknown_kind_is_none() -> None:
    assert common.setpoint_from_proto(common_pb2.Setpoint()) is None


def test_capabilities_and_problems_come_back_as_they_went() -> None:
    can = DerCapability(s_max_va=2e3, p_max_w=1e3, p_min_w=-1e3, q_max_var=5e2, energy_wh=0.0)
    assert common.capability_from_proto(common.capability_to_proto(can)) == can
    problem = Problem(element="der.pv", field="p_max_w", value="-1", message="negative")
    assert common.problem_from_proto(common.problem_to_proto(problem)) == problem
