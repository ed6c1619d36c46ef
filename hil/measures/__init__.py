"""What a run is judged by: measures, each a pure function of what was recorded, found by the name in a scenario."""

from hil.measures.findings import Actuation, Deadline, Findings, FrameCount, ServiceOutage
from hil.measures.injections import Injections, LyingPoint, WrongPosition, injections
from hil.measures.judgement import Check, Judgement, LeftOut, Verdict, check_names, examine, held, judge
from hil.measures.measure import Bound, Finding, Measure
from hil.measures.registry import MEASURES

__all__ = [
    "MEASURES",
    "Actuation",
    "Bound",
    "Check",
    "Deadline",
    "Finding",
    "Findings",
    "FrameCount",
    "Injections",
    "Judgement",
    "LeftOut",
    "LyingPoint",
    "Measure",
    "ServiceOutage",
    "Verdict",
    "WrongPosition",
    "check_names",
    "examine",
    "held",
    "injections",
    "judge",
]
