"""The picture, meters that lie, positions that are wrong."""

from math import inf, nan

import numpy as np

from adms.client import Grade
from adms.core.positions import Standing
from hil.measures import Injections, LyingPoint, WrongPosition
from hil.record import EstimateRow, EstimateScore
from tests.unit.hil.measures.records import EMPTY, Case, found, log, position, report, trace

FAILED, INCONSISTENT, PARTIAL = Grade.FAILED, Grade.INCONSISTENT, Grade.PARTIAL
# Five rounds due: solved, none, failed, inconsistent, partial; and one time without the service.
MIXED = log(
    report(2.0, apps=("voltvar",)),
    4.0,
    report(6.0, grade=FAILED, apps=("dispatch", "dispatch")),
    report(8.0, grade=INCONSISTENT, apps=("flisr",)),
    report(10.0, grade=PARTIAL, apps=("voltvar",)),
    down=(12.0,),
)
SCORE = EstimateScore(rounds=5, rms_error_pu=0.003, predicted_pu=0.002, pseudo_rms_pu=0.012)
# Errors of 0, 2, 4 sigma; the fourth node is dead, the fifth not estimated.
ROW = EstimateRow(
    time_s=2.0,
    grade="solved",
    v_pu=np.array([1.0, 1.002, 1.004, 0.3, np.nan]),
    sigma_pu=np.full(5, 0.001),
    truth_pu=np.array([1.0, 1.0, 1.0, 0.0, 1.0]),
    pseudo_pu=np.ones(5),
)

LIAR = LyingPoint(
    point="p_flow_w/line.x/0/1", device="line.x", start_s=100.0, end_s=200.0, text="10 times", to_be_named=True
)
SILENT = LyingPoint(
    point="v_magnitude_v/b/0/1", device="b", start_s=100.0, end_s=200.0, text="no number", to_be_named=False
)
TAP = LyingPoint(
    point="tap_position/transformer.r1/0/0",
    device="transformer.r1",
    also="group.r",
    start_s=100.0,
    end_s=200.0,
    text="stuck",
    to_be_named=True,
)
HIT = "p_flow_w line.x phase 1"
OTHER = "q_flow_var line.x phase 1"
# From 130 s (settled) to 200 s: four rounds, named in two of them by its point and in one by its device.
LYING = log(
    report(110.0),
    report(130.0),
    report(150.0, rejected=(HIT,)),
    report(170.0, rejected=(HIT,)),
    report(190.0, positions=(position("line.x"),)),
    report(200.0, rejected=(HIT,)),
    down=(180.0,),
)
SWITCH = WrongPosition(device="switch.s", also="", start_s=40.0, end_s=inf, text="is open, told closed")
REGULATOR = WrongPosition(device="transformer.r1", also="group.r", start_s=10.0, end_s=60.0, text="stuck at 3")
NAMED = log(
    report(20.0, positions=(position("switch.s", standing=Standing.OPEN), position("switch.s"))),
    report(50.0, positions=(position("switch.s", standing=Standing.UNDECIDABLE),)),
    report(70.0, positions=(position("switch.s"), position("group.r"))),
    report(95.0, positions=(position("group.r"), position("switch.other", standing=Standing.AS_REPORTED))),
)

CASES = (
    Case(name="rounds_without_picture_frac", says="none and failed of five", found=found(rounds=MIXED), value=0.4),
    Case(name="rounds_without_picture_frac", says="no service", found=found(rounds=log(down=(1.0,))), value=nan),
    Case(name="rounds_inconsistent_frac", says="one of five", found=found(rounds=MIXED), value=0.2),
    Case(name="rounds_inconsistent_frac", says="no rounds", found=EMPTY, value=nan),
    Case(name="rounds_trusted_frac", says="solved and partial of five", found=found(rounds=MIXED), value=0.4),
    Case(name="rounds_trusted_frac", says="no rounds", found=EMPTY, value=nan),
    Case(
        name="picture_missing_longest_s",
        says="from the good one at 2 s to the last bad one at 8 s",
        found=found(rounds=MIXED),
        value=6.0,
        words="from 2 s on",
    ),
    Case(
        name="picture_missing_longest_s",
        says="from the start, and without the service",
        found=found(rounds=log(2.0, report(6.0), down=(4.0,))),
        value=4.0,
    ),
    Case(name="picture_missing_longest_s", says="never", found=found(rounds=log(report(2.0))), value=0.0),
    Case(name="picture_missing_longest_s", says="no rounds", found=EMPTY, value=nan),
    Case(
        name="commands_from_no_picture",
        says="two and one of five",
        found=found(rounds=MIXED),
        value=3.0,
        words="3 of 5 commands in a round that should not act (dispatch: 2, flisr: 1)",
    ),
    Case(name="commands_from_no_picture", says="no rounds", found=EMPTY, value=nan),
    Case(name="estimate_ratio_max", says="0.003 / 0.002", found=found(estimate=SCORE), value=1.5),
    Case(name="estimate_ratio_max", says="no rounds", found=EMPTY, value=nan),
    Case(name="estimate_rms_pu", says="as scored", found=found(estimate=SCORE), value=0.003),
    Case(name="estimate_rms_pu", says="no rounds", found=EMPTY, value=nan),
    Case(name="estimate_vs_pseudo_ratio", says="0.003 / 0.012", found=found(estimate=SCORE), value=0.25),
    Case(name="estimate_vs_pseudo_ratio", says="no rounds", found=EMPTY, value=nan),
    Case(
        name="estimate_within_3_sigma_frac",
        says="0 and 2 of 0, 2 and 4 sigma; dead and unknown nodes do not count",
        found=found(estimates=[ROW]),
        value=2 / 3,
    ),
    Case(name="estimate_within_3_sigma_frac", says="no estimates", found=EMPTY, value=nan),
    Case(
        name="liars_named_frac",
        says="three of the four rounds after 130 s and before 200 s; without the service none was due",
        found=found(rounds=LYING, injections=Injections(points=(LIAR, SILENT))),
        value=0.75,
    ),
    Case(
        name="liars_named_frac",
        says="a regulator by its group, in one of four",
        found=found(
            rounds=log(
                *(
                    report(t, positions=(position("group.r"),) if t == 150.0 else ())
                    for t in (140.0, 150.0, 160.0, 170.0)
                )
            ),
            injections=Injections(points=(TAP,)),
        ),
        value=0.25,
    ),
    Case(
        name="liars_named_frac",
        says="only one that nobody could find out",
        found=found(rounds=LYING, injections=Injections(points=(SILENT,))),
        value=nan,
        words="no meter was made to lie",
    ),
    Case(
        name="liars_named_frac",
        says="over before it settled",
        found=found(rounds=log(report(110.0)), injections=Injections(points=(LIAR,))),
        value=nan,
    ),
    Case(
        name="liar_named_s",
        says="from 100 to 150 s by its point",
        found=found(rounds=LYING, injections=Injections(points=(LIAR, SILENT))),
        value=50.0,
        words="p_flow_w/line.x/0/1 (10 times): after 50 s",
    ),
    Case(
        name="liar_named_s",
        says="one of two is never named: 230 s is 30 s after its end",
        found=found(
            rounds=log(report(150.0, rejected=(HIT,)), report(230.0, positions=(position("group.r"),))),
            injections=Injections(points=(LIAR, TAP)),
        ),
        value=nan,
        words="tap_position/transformer.r1/0/0 (stuck): never",
    ),
    Case(name="liar_named_s", says="no liar", found=found(rounds=LYING), value=nan, words="no meter was made to lie"),
    Case(
        name="innocents_blamed_frac",
        says="a liar, and for 30 s after it, is none; one of five rounds blames another; not at 20 s, protection works",
        found=found(
            trace=trace([10.0, 20.0, 150.0, 160.0, 220.0, 300.0], in_fault=[False, True, False, False, False, False]),
            rounds=log(
                report(10.0),
                report(20.0, rejected=(OTHER,)),
                report(150.0, rejected=(HIT, OTHER)),
                report(160.0, rejected=(HIT,)),
                report(220.0, rejected=(HIT,)),
                report(300.0),
            ),
            injections=Injections(points=(LIAR,)),
        ),
        value=0.2,
        words="q_flow_var/line.x/0/1 (1)",
    ),
    Case(
        name="innocents_blamed_frac",
        says="from 230 s on it no longer lies",
        found=found(rounds=log(report(230.0, rejected=(HIT,))), injections=Injections(points=(LIAR,))),
        value=1.0,
    ),
    Case(name="innocents_blamed_frac", says="no rounds", found=EMPTY, value=nan),
    Case(
        name="wrong_position_named_s",
        says="switch from 40 to 70 s; the regulator by its group from 10 to 70 s, within 30 s of its end",
        found=found(rounds=NAMED, injections=Injections(positions=(SWITCH, REGULATOR))),
        value=60.0,
        words="switch.s (is open, told closed): after 30 s",
    ),
    Case(
        name="wrong_position_named_s",
        says="one of two is never named",
        found=found(
            rounds=log(report(50.0, positions=(position("switch.s"),))),
            injections=Injections(positions=(SWITCH, REGULATOR)),
        ),
        value=nan,
        words="transformer.r1 (stuck at 3): never",
    ),
    Case(name="wrong_position_named_s", says="all as reported", found=found(rounds=NAMED), value=nan),
    Case(
        name="positions_named_wrongly",
        says="the switch before 40 s, the group after 60 s and 30 s; what is not named as wrong does not count",
        found=found(rounds=NAMED, injections=Injections(positions=(SWITCH, REGULATOR))),
        value=2.0,
        words="switch.s at 20 s, group.r at 95 s",
    ),
    Case(
        name="positions_named_wrongly",
        says="none",
        found=found(
            rounds=log(report(50.0, positions=(position("switch.s"),))), injections=Injections(positions=(SWITCH,))
        ),
        value=0.0,
    ),
    Case(name="positions_named_wrongly", says="no rounds", found=EMPTY, value=nan),
)
