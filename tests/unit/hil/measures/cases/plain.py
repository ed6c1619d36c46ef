"""Frames, safety, interface, latency, recovery."""

from math import nan

from adms.client import Grade, JournalVerdict, Mode
from hil.measures import Actuation, Deadline, FrameCount, ServiceOutage
from hil.referee import Unsafe
from tests.unit.hil.measures.records import EMPTY, Case, found, log, report, trace

FRAMES = (
    FrameCount(source_id="gateway", sent=300, used=298, used_twice=1),
    FrameCount(source_id="der.a", sent=100, used=100, used_twice=0),
)
UNSAFE = (Unsafe(time_s=1.0, device="line.sw4", rule="SW1", text="energises the fault"),)
# Two minutes at 30 s: the means are (100 + 300) / 2 and (500 + 700) / 2 kW.
RISING = trace([30.0, 60.0, 90.0, 120.0], import_w=[100e3, 300e3, 500e3, 700e3])
FALLING = trace([30.0, 60.0, 90.0, 120.0], import_w=[-100e3, -300e3, -500e3, -700e3])
# 100 commands: 99 heard at once, one after 6 s, which is no more than a hundredth.
HEARD = (
    *(Actuation(device_id="d", sensed_s=2.0 * k, heard_s=2.0 * k, wall_s=0.1) for k in range(99)),
    Actuation(device_id="d", sensed_s=4.0, heard_s=10.0, wall_s=0.9),
)
# 90 at once and 10 after 6 s: more than a hundredth.
LATE = (*HEARD[:90], *(HEARD[-1],) * 10)
KILLED = ServiceOutage(start_s=4.0, end_s=8.0)
BACK = log(
    report(2.0),
    report(8.0, grade=Grade.FAILED, mode=Mode.OBSERVE),
    report(10.0, mode=Mode.OBSERVE),
    report(12.0, grade=Grade.INCONSISTENT, mode=Mode.CONTROL),
    report(14.0, grade=Grade.PARTIAL, mode=Mode.CONTROL),
    down=(4.0, 6.0),
)

CASES = (
    Case(name="frames_lost", says="300 + 100 sent, 298 + 100 used", found=found(frames=FRAMES), value=2.0),
    Case(
        name="frames_lost",
        says="left out where nobody was there to use them",
        found=found(frames=FRAMES, service_gone=True),
        value=nan,
        applies=False,
    ),
    Case(name="frames_twice", says="one of them", found=found(frames=FRAMES), value=1.0, words="1 of 400"),
    Case(name="unsafe_commands", says="one", found=found(unsafe=UNSAFE), value=1.0, words="line.sw4 SW1"),
    Case(name="unsafe_commands", says="none", found=EMPTY, value=0.0),
    Case(name="plant_unsolved", says="none", found=EMPTY, value=0.0),
    Case(name="journal_intact", says="nobody asked", found=EMPTY, value=nan, words="nobody asked"),
    Case(
        name="journal_intact",
        says="it holds",
        found=found(journal=JournalVerdict(intact=True, entries=7, first_bad_index=None, reason="")),
        value=1.0,
        words="7 entries",
    ),
    Case(
        name="journal_intact",
        says="it breaks",
        found=found(journal=JournalVerdict(intact=False, entries=7, first_bad_index=3, reason="other hash")),
        value=0.0,
        words="at entry 3: other hash",
    ),
    Case(
        name="import_excess_frac_max",
        says="600 kW of the second minute over 500 kW",
        found=found(trace=RISING, import_max_w=500e3),
        value=0.2,
    ),
    Case(
        name="import_excess_frac_max",
        says="judged from 30 s on: one whole minute of 300 and 500 kW",
        found=found(trace=RISING, import_max_w=500e3, import_judged_from_s=30.0),
        value=-0.2,
    ),
    Case(name="import_excess_frac_max", says="no limit", found=found(trace=RISING), value=nan, applies=False),
    Case(
        name="import_excess_frac_max",
        says="limited, and no whole minute was seen",
        found=found(trace=RISING, import_max_w=500e3, import_judged_from_s=100.0),
        value=nan,
    ),
    Case(
        name="export_excess_frac",
        says="600 kW of the second minute over 400 kW",
        found=found(trace=FALLING, export_max_w=400e3),
        value=0.5,
    ),
    Case(
        name="export_excess_frac",
        says="import is no export: -200 kW of the first minute is the highest",
        found=found(trace=RISING, export_max_w=400e3),
        value=-1.5,
    ),
    Case(name="export_excess_frac", says="no limit", found=found(trace=FALLING), value=nan, words="nobody limited"),
    Case(name="import_peak_w", says="the second minute", found=found(trace=RISING), value=600e3, words="until 120 s"),
    Case(name="import_peak_w", says="nothing recorded", found=EMPTY, value=nan),
    Case(name="latency_p99_s", says="a hundredth may be late", found=found(actuations=HEARD), value=0.0),
    Case(name="latency_p99_s", says="a tenth is", found=found(actuations=LATE), value=6.0, words="most 6"),
    Case(name="latency_p99_s", says="no command", found=EMPTY, value=nan),
    Case(name="latency_p99_rounds", says="6 s of 2 s", found=found(actuations=LATE, scan_s=2.0), value=3.0),
    Case(name="latency_p99_rounds", says="scan not known", found=found(actuations=LATE), value=nan),
    Case(name="latency_wall_p99_s", says="a tenth", found=found(actuations=LATE), value=0.9),
    Case(
        name="latency_wall_p99_s",
        says="in lockstep none is timed",
        found=found(actuations=(Actuation(device_id="d", sensed_s=0.0, heard_s=0.0),)),
        value=nan,
        words="real time",
    ),
    Case(name="missed_deadlines", says="lockstep", found=EMPTY, value=nan, words="lockstep"),
    Case(name="missed_deadlines", says="none", found=found(missed_deadlines=()), value=0.0),
    Case(
        name="missed_deadlines",
        says="two",
        found=found(missed_deadlines=(Deadline(time_s=3.0, late_s=0.1), Deadline(time_s=7.0, late_s=0.4))),
        value=2.0,
        words="at 7 s by 0.4 s",
    ),
    Case(
        name="estimate_p99_ms",
        says="of three the slowest",
        found=found(
            rounds=log(report(1.0, estimate_ms=5.0), report(2.0, estimate_ms=9.0), report(3.0, estimate_ms=7.0))
        ),
        value=9.0,
    ),
    Case(name="estimate_p99_ms", says="no round came", found=found(rounds=log(1.0)), value=nan),
    Case(
        name="round_p99_ms",
        says="of two the slower",
        found=found(rounds=log(report(1.0, round_ms=30.0), report(2.0, round_ms=20.0))),
        value=30.0,
    ),
    Case(name="round_p99_ms", says="no round came", found=EMPTY, value=nan),
    Case(
        name="recovery_s",
        says="back at 8 s; PARTIAL and in CONTROL at 14 s, INCONSISTENT at 12 s does not do",
        found=found(outages=(KILLED,), rounds=BACK),
        value=6.0,
    ),
    Case(
        name="recovery_s",
        says="killed again before it had recovered",
        found=found(outages=(KILLED, ServiceOutage(start_s=13.0)), rounds=BACK),
        value=nan,
        words="never",
    ),
    Case(name="recovery_s", says="gone for good", found=found(outages=(ServiceOutage(start_s=4.0),)), value=nan),
)
