"""Enumerations of core and of the wire. Their names line up, so the pairs are derived, not written."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Generic, Protocol, TypeVar

from adms.core.commands import OutcomeCode
from adms.core.devices import DeviceClass, TagKind
from adms.core.estimate import Grade, SigmaSource
from adms.core.modes import Mode
from adms.core.plans import PlanStatus
from adms.core.positions import Standing
from adms.core.telemetry import PointKind, Quality
from adms.wire.common.v1 import common_pb2
from adms.wire.control.v1 import control_pb2
from adms.wire.insight.v1 import insight_pb2
from adms.wire.operations.v1 import operations_pb2
from adms.wire.telemetry.v1 import telemetry_pb2

E = TypeVar("E", bound=Enum)
V = TypeVar("V", bound=int)
W = TypeVar("W", bound=int, covariant=True)


class WireEnum(Protocol[W]):
    """An enumeration as generated code has it."""

    def items(self) -> Sequence[tuple[str, W]]:
        """Names with their numbers."""


class EnumPairs(Generic[E, V]):
    """Members of a core enumeration and their numbers on the wire.

    A member stands on the wire as `prefix` and, in capitals, its value where that is text, else its name. Raises
    KeyError at import where the wire lacks a member: no message can then be built wrongly.
    """

    def __init__(self, wire: WireEnum[V], prefix: str, members: type[E]) -> None:
        numbers = dict(wire.items())
        self._number: Mapping[E, V] = {member: numbers[prefix + _wire_name(member)] for member in members}
        self._member: Mapping[int, E] = {int(number): member for member, number in self._number.items()}

    def to_proto(self, member: E) -> V:
        """Number of a member."""
        return self._number[member]

    def known(self, number: int) -> E | None:
        """Member of a number; None for one that this version does not know."""
        return self._member.get(number)

    def from_proto(self, number: int, *, unknown: E) -> E:
        """Member of a number; `unknown` for one that this version does not know."""
        return self._member.get(number, unknown)


def _wire_name(member: Enum) -> str:
    return (member.value if isinstance(member.value, str) else member.name).upper()


QUALITY = EnumPairs(common_pb2.Quality, "QUALITY_", Quality)
MODE = EnumPairs(common_pb2.Mode, "MODE_", Mode)
OUTCOME = EnumPairs(common_pb2.OutcomeCode, "OUTCOME_CODE_", OutcomeCode)
POINT_KIND = EnumPairs(telemetry_pb2.PointKind, "POINT_KIND_", PointKind)
DEVICE_CLASS = EnumPairs(control_pb2.DeviceClass, "DEVICE_CLASS_", DeviceClass)
TAG_KIND = EnumPairs(operations_pb2.TagKind, "TAG_KIND_", TagKind)
PLAN_STATUS = EnumPairs(operations_pb2.PlanStatus, "PLAN_STATUS_", PlanStatus)
GRADE = EnumPairs(insight_pb2.Grade, "GRADE_", Grade)
SIGMA_SOURCE = EnumPairs(insight_pb2.SigmaSource, "SIGMA_SOURCE_", SigmaSource)
POSITION_STANDING = EnumPairs(insight_pb2.PositionStanding, "POSITION_STANDING_", Standing)
