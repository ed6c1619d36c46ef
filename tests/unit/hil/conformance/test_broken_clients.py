"""The kit against real clients over real gRPC on the loopback: a good one keeps every rule, and each one that is broken
on purpose fails the rules meant for it and no other."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from hil.conformance.rulebook import FULL, QUICK
from hil.conformance.rules import Rule, Standing, Verdict
from hil.conformance.run import conform
from hil.conformance.service import PlayedService
from hil.conformance.timing import Timing
from tests.unit.hil.conformance import broken_controllers as control
from tests.unit.hil.conformance import broken_devices as device
from tests.unit.hil.conformance import clients as c

TIMING = Timing(
    answer_s=3.0, act_s=0.8, settle_s=8.0, fall_back_s=1.5, watch_s=0.3, lease_s=1.0, storm_s=4.0, begin_s=20.0
)
"""Shorter than the kit's own where waiting is long, so that what is broken is found sooner."""
AT_ONCE = 40
"""Clients that are tried at the same time."""
RULES_A_CLIENT = 17
"""Where more are tried, a further client of the kind takes the rest: most of a run is waiting."""
BY_ID = {rule.rule_id: rule for rule in FULL}
COMMON = ("REG1", "TEL1", "OBY1")
"""Tried on every client beside what is meant for it."""


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A client, what it must fail, and what it is tried on."""

    name: str
    make: c.Make
    fails: str
    """Rules, all of them and no other of those tried."""
    tried: Iterable[str] = COMMON

    @property
    def rules(self) -> tuple[Rule, ...]:
        wanted = {*self.tried, *self.fails.split()}
        return tuple(rule for rule in FULL if rule.rule_id in wanted)


ALL_QUICK = tuple(rule.rule_id for rule in QUICK)
BROKEN = (
    Broken(name="good", make=c.client(), fails="", tried=tuple(BY_ID)),
    Broken(
        name="ignores its lease",
        make=c.client(battery=device.IgnoresLease),
        fails="EXP1 EXP2 EXP3 EXP4 EXP8 RNG6 RED2",
        tried=ALL_QUICK,
    ),
    Broken(
        name="never falls back while the stream is lost",
        make=c.client(battery=device.HoldsWhileCut),
        fails="EXP2 EXP3",
        tried=ALL_QUICK,
    ),
    Broken(
        name="counts a lease from its arrival",
        make=c.client(battery=device.CountsFromArrival),
        fails="EXP4 RED2",
        tried=ALL_QUICK,
    ),
    Broken(
        name="applies old epochs", make=c.client(controller=control.OldEpochs), fails="EPO1 EPO4 EPO5", tried=ALL_QUICK
    ),
    Broken(
        name="always says SUCCESS",
        make=c.client(controller=control.AlwaysSuccess),
        fails="EXP6 EXP7 EPO1 EPO3 EPO4 EPO5 SEQ1 RNG1 RNG2 RNG3 RNG4 RNG5 UNK1 UNK4 UNK5",
        tried=ALL_QUICK,
    ),
    Broken(
        name="accepts what is outside its nameplate",
        make=c.client(battery=device.Clamps),
        fails="RNG1 RNG2 RNG3 RNG4 RNG6",
        tried=ALL_QUICK,
    ),
    Broken(
        name="acts again on a redelivery", make=c.client(controller=control.LeasesAgain), fails="RED2", tried=ALL_QUICK
    ),
    Broken(
        name="takes whatever came last",
        make=c.client(battery=device.LastArrivalWins, controller=control.NoOrder),
        fails="EPO3 SEQ1",
        tried=ALL_QUICK,
    ),
    Broken(name="storms", make=c.client(controller=control.Storms), fails="REC2 REC3 REC4", tried=ALL_QUICK),
    Broken(
        name="says SUCCESS and acts later",
        make=c.client(battery=device.ActsLate),
        fails="ACK2",
        tried=("OBY1", "OBY2", "OBY3", "OBY4", "ACK1", "ACK3"),
    ),
    # From here on, one rule each, so that there is none that cannot fail.
    Broken(
        name="drops its lease with the stream",
        make=c.client(battery=device.DropsWhenCut),
        fails="EXP2",
        tried=(*COMMON, "EXP1", "EXP4"),
    ),
    Broken(
        name="acts on repetitions, in any order",
        make=c.client(battery=device.LastArrivalWins, controller=control.ActsOnRepetitions),
        fails="RED3 SEQ1 EPO3",
        tried=(*COMMON, "RED1", "EPO1"),
    ),
    Broken(name="has no instance", make=c.client(controller=control.NoInstance), fails="REG1"),
    Broken(
        name="has an impossible nameplate",
        make=c.client(battery=device.BrokenPlate),
        fails="REG2",
        tried=("REG1", "TEL1"),
    ),
    Broken(name="has its default outside", make=c.client(kind=device.DefaultOutside), fails="REG3"),
    Broken(name="is another instance each time", make=c.client(controller=control.NewInstance), fails="REG4"),
    Broken(name="forgets the epoch", make=c.client(controller=control.ForgetsEpoch), fails="REG5"),
    Broken(
        name="starts as the same instance",
        make=c.client(controller=control.SameInstance),
        fails="REG6 OUT4",
        tried=(*COMMON, "REG4"),
    ),
    Broken(name="measures nothing", make=c.client(kind=device.Silent), fails="TEL1"),
    Broken(name="declares before hello", make=c.client(source=device.FramesFirst), fails="TEL1"),
    Broken(
        name="measures backwards", make=c.client(kind=device.Backwards), fails="TEL2", tried=("REG1", "TEL1", "TEL3")
    ),
    Broken(name="says NaN is good", make=c.client(kind=device.SaysGood), fails="TEL3"),
    Broken(name="loses frames", make=c.client(source=device.ForgetsFrames), fails="TEL4"),
    Broken(
        name="has a wrong clock", make=c.client(kind=device.WrongClock), fails="TEL5", tried=("REG1", "TEL1", "TEL2")
    ),
    Broken(name="starts in the same epoch", make=c.client(source=device.SameEpoch), fails="TEL6"),
    Broken(name="has the other sign", make=c.client(battery=device.OtherSign), fails="OBY1", tried=("REG1", "TEL1")),
    Broken(name="takes levels for pulses", make=c.client(battery=device.Pulses), fails="OBY2"),
    Broken(name="keeps what is left out", make=c.client(battery=device.KeepsWhatIsLeftOut), fails="OBY3"),
    Broken(name="follows no Q", make=c.client(battery=device.NoReactive), fails="OBY4"),
    Broken(name="keeps no ramp", make=c.client(battery=device.NoRamp), fails="OBY5"),
    Broken(name="answers twice", make=c.client(controller=control.AnswersTwice), fails="ACK1"),
    Broken(
        name="turns batches round",
        make=c.client(battery=device.LastArrivalWins, controller=control.Reversed),
        fails="ACK3",
    ),
    Broken(name="dips at a renewal", make=c.client(battery=device.DipsAtRenewal), fails="EXP5", tried=("REG1", "TEL1")),
    Broken(name="takes a setpoint without an end", make=c.client(controller=control.Endless), fails="EXP7"),
    Broken(name="shares one lease", make=c.client(battery=device.shared()), fails="EXP8", tried=(*COMMON, "EXP1")),
    Broken(name="takes NaN", make=c.client(battery=device.TakesNaN), fails="RNG5", tried=(*COMMON, "RNG1")),
    Broken(name="ends at NaN", make=c.client(battery=device.DiesOfNaN), fails="RNG5", tried=(*COMMON, "RNG4", "UNK4")),
    Broken(name="ends its stream at a new kind", make=c.client(controller=control.Picky), fails="UNK1"),
    Broken(name="refuses new fields", make=c.client(controller=control.Strict), fails="UNK2"),
    Broken(name="ends its stream at a new message", make=c.client(controller=control.Fragile), fails="UNK3"),
    Broken(name="opens as a switch would", make=c.client(battery=device.TakesSwitch), fails="UNK4"),
    Broken(name="takes what is for others", make=c.client(controller=control.TakesForeign), fails="UNK5"),
    Broken(name="answers repetitions another way", make=c.client(controller=control.ForgetsIds), fails="RED1"),
    Broken(name="leaves gaps in its outcomes", make=c.client(controller=control.LeavesGaps), fails="OUT1"),
    Broken(name="loses outcomes", make=c.client(controller=control.ForgetsOutcomes), fails="OUT2"),
    Broken(name="repeats everything", make=c.client(controller=control.RepeatsAll), fails="OUT3"),
    Broken(name="does not come back", make=c.client(controller=control.Leaves), fails="REC1"),
    Broken(name="refuses a new leader", make=c.client(controller=control.RefusesNewEpochs), fails="EPO2"),
)


async def tried(make: c.Make, rules: Sequence[Rule], *, folder: Path) -> tuple[Verdict, ...]:
    folder.mkdir()
    client = c.InProcess(make, folder=folder)
    service = PlayedService(host="127.0.0.1", port=0)
    await service.start()
    try:
        found = await conform(service, rules=rules, timing=TIMING, device_id=c.NAMES[0], client=client)
    finally:
        await client.stop()
        await service.die()
    return found.verdicts


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Verdict]]:
    """All clients, many at the same time."""
    folder = tmp_path_factory.mktemp("clients")

    async def every() -> dict[str, list[Verdict]]:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(make: c.Make, rules: Sequence[Rule], *, name: str) -> tuple[Verdict, ...]:
            async with room:
                return await tried(make, rules, folder=folder / name)

        shares = [
            (broken, broken.rules[first::step], f"{number}-{first}")
            for number, broken in enumerate(BROKEN)
            for step in [-(-len(broken.rules) // RULES_A_CLIENT)]
            for first in range(step)
        ]
        results = await asyncio.gather(*(one(broken.make, rules, name=name) for broken, rules, name in shares))
        by_name: dict[str, list[Verdict]] = {}
        for (broken, _, _), verdicts in zip(shares, results, strict=True):
            by_name.setdefault(broken.name, []).extend(verdicts)
        return by_name

    return asyncio.run(every())


def failed(verdicts: Sequence[Verdict]) -> dict[str, str]:
    return {
        verdict.rule.rule_id: f"{verdict.expected}; seen {verdict.seen}"
        for verdict in verdicts
        if verdict.standing is Standing.FAILED
    }


@pytest.mark.parametrize("broken", BROKEN[1:], ids=lambda broken: broken.name)
def test_a_client_fails_just_the_rules_that_it_breaks(broken: Broken, found: dict[str, list[Verdict]]) -> None:
    seen = failed(found[broken.name])
    assert sorted(seen) == sorted(broken.fails.split()), seen


def test_a_good_client_keeps_every_rule(found: dict[str, list[Verdict]]) -> None:
    good = found["good"]
    assert [(v.rule.rule_id, v.standing, v.seen) for v in good if v.standing is not Standing.PASSED] == []
    assert sorted(v.rule.rule_id for v in good) == sorted(BY_ID)


def test_there_is_no_rule_that_cannot_fail() -> None:
    never = set(BY_ID) - {rule for broken in BROKEN for rule in broken.fails.split()}
    assert never == set()


def test_what_is_broken_says_what_was_expected_and_seen(found: dict[str, list[Verdict]]) -> None:
    seen = failed(found["ignores its lease"])["EXP1"]
    # Level: nine tenths of the range of ±100 kW; 1.5 s of fall-back, the ramp's 5 kW at 250 kW/s and two frames.
    assert seen.startswith("the output leaves 80000 W within 1.")
    assert seen.endswith("seen 80000 W")
