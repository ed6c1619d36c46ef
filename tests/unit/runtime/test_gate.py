"""The gate and the interlock: what refuses, what is permitted in spite of a guard, and what the check is asked with."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from adms.apps.interlock import Severity, Violation
from adms.apps.view import ExpectedState
from adms.core.commands import CapacitorSetpoint, Priority, Proposal
from adms.core.journal import EntryKind
from tests.unit.runtime.feeders import BANK, PV, SWITCH, opened, power, proposal
from tests.unit.runtime.rigs import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterable[Rig]:
    rig = Rig(tmp_path / "j")
    rig.connect()
    yield rig
    rig.kill()


def asks(rig: Rig, *proposals: Proposal) -> None:
    rig.script.proposals = lambda view: proposals


async def test_an_objection_of_the_interlock_is_a_refusal_with_its_reason(rig: Rig) -> None:
    asks(rig, proposal(SWITCH, opened()))
    rig.script.objections = (Violation(guard="SW1", severity=Severity.HARD, reason="faulted side"),)
    await rig.in_control()
    assert await rig.look(4.0) == []
    refused = [entry for entry in rig.record.entries() if entry.kind is EntryKind.REFUSED]
    # SW22 while observing, then SW1, each journalled once although it is refused every round.
    assert [("SW22" in e.body, "SW1" in e.body) for e in refused] == [(True, False), (False, True)]


async def test_a_warning_does_not_refuse(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)))
    rig.script.objections = (Violation(guard="VV9", severity=Severity.WARNING, reason="small gain"),)
    await rig.in_control()
    assert [c.device for _, c in rig.outside.sent] == [PV]


async def test_what_a_command_was_permitted_against_stands_in_the_journal(rig: Rig) -> None:
    # Over the daily budget, to cure a violation (VV4): the interlock lets it pass, the record says so.
    rig.script.objections = (Violation(guard="VV4", severity=Severity.PERMISSION, reason="7 steps of 6"),)
    asks(rig, proposal(BANK, CapacitorSetpoint(steps=0), priority=Priority.VOLTVAR))
    await rig.in_control()
    assert rig.outside.sent == []
    asks(rig, proposal(BANK, CapacitorSetpoint(steps=0), priority=Priority.LIMITS))
    (command,) = await rig.look(4.0)
    assert command.reason == "because; permitted against VV4: 7 steps of 6"


async def test_the_gate_asks_with_what_the_app_expects(rig: Rig) -> None:
    expects = ExpectedState(s_nominal_va=np.zeros(1, dtype=np.complex128), cold_load_factor=2.0, v_before_pu=None)
    rig.script.expects = expects
    asks(rig, proposal(SWITCH, opened()))
    await rig.in_control()
    assert rig.script.expected
    assert all(asked is expects for asked in rig.script.expected)
