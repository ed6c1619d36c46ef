"""DER."""

from math import nan

from hil.measures import Injections, ServiceOutage
from hil.plant.der_class import DefectEntry
from hil.plant.inverter import Defect
from tests.unit.hil.measures.records import EMPTY, Case, der, found, log, report, scan, trace

# One of 100 kVA, 5 % of which are 5 kW; 30 s to get there.
BATTERY = der("der.b", kind="battery", default_w=0.0)
EV = der("der.ev", kind="ev", default_w=-50e3)
# Leased to 60 kW from 20 s on: on its way at 20 and 40 s, there at 50 s (56 kW), gone astray at 60 s (20 kW).
# At 60 s what was expected from 30 s on is 60 kW throughout. The last scan has no lease: four judged, three good.
FOLLOWS = trace(
    [10.0, 20.0, 40.0, 50.0, 60.0, 70.0],
    ders=[BATTERY],
    der=[
        scan(0.0),
        scan(5e3, lease_w=60e3),
        scan(30e3, lease_w=60e3),
        scan(56e3, lease_w=60e3),
        scan(20e3, lease_w=60e3),
        scan(20e3),
    ],
)
# At 40 s the window from 10 s on still has the 0 kW of 10 s, so that 30 kW is on the way.
IGNORES = trace(
    [10.0 * k for k in range(1, 11)],
    ders=[BATTERY],
    der=[scan(0.0), *(scan(0.0, lease_w=60e3) for _ in range(9))],
)
CLOUDED = trace([10.0, 50.0], ders=[der()], der=[scan(30e3, lease_w=80e3, high_w=30e3)] * 2)
REACTIVE = trace(
    [10.0, 50.0, 100.0],
    ders=[BATTERY],
    der=[scan(0.0, lease_w=0.0, lease_var=20e3, q_var=q) for q in (20e3, -20e3, 16e3)],
)
CHARGING = trace([10.0, 50.0, 100.0], ders=[EV], der=[scan(p, lease_w=-20e3) for p in (0.0, -20e3, -40e3)])
TRIPPED = trace([10.0], ders=[BATTERY], der=[scan(0.0, lease_w=60e3, away=True)])
# The service is lost at 20 s; the lease lapses after 40 s, at its default of 0 kW from 60 s on.
LAPSES = trace(
    [10.0, 20.0, 40.0, 50.0, 60.0, 70.0],
    ders=[BATTERY],
    der=[
        scan(60e3, lease_w=60e3),
        scan(60e3, lease_w=60e3),
        scan(60e3, lease_w=60e3),
        scan(30e3),
        scan(0.5),
        scan(0.0),
    ],
)
KEEPS = trace([10.0, 20.0, 40.0], ders=[BATTERY], der=[scan(60e3, lease_w=60e3), scan(60e3), scan(60e3)])
DEFECTS = (
    DefectEntry(der="der.b", mode=Defect.DEAF, from_s=10.0, until_s=50.0),
    DefectEntry(der="der.b1", mode=Defect.STUCK, from_s=10.0, until_s=50.0),
)
SEEN = log(
    report(5.0, notes=(("dispatch", "der.b1 does not follow"),)),
    report(20.0, notes=(("dispatch", "der.b does not follow"),)),
    report(30.0, refused={"der.b1": "DE2"}),
    devices=("der.b", "der.b1"),
)

CASES = (
    Case(name="ders_at_target_frac", says="three of four", found=found(trace=FOLLOWS), value=0.75, words="der.b 75"),
    Case(
        name="ders_at_target_frac",
        says="leased from 20 s on and never moves: from 20 to 40 s the window has the 0 kW of 10 s, then no more",
        found=found(trace=IGNORES),
        value=3 / 9,
    ),
    Case(name="ders_at_target_frac", says="all that there is", found=found(trace=CLOUDED), value=1.0),
    Case(name="ders_at_target_frac", says="reactive: 0, 40 and 4 kvar off", found=found(trace=REACTIVE), value=2 / 3),
    Case(name="ders_at_target_frac", says="may draw less, not more", found=found(trace=CHARGING), value=2 / 3),
    Case(name="ders_at_target_frac", says="off by protection", found=found(trace=TRIPPED), value=nan),
    Case(name="ders_at_target_frac", says="nothing", found=EMPTY, value=nan),
    Case(
        name="disobedient_ders_noticed",
        says="one of two: the other was named before it misbehaved, and refused for another reason",
        found=found(injections=Injections(defects=DEFECTS), rounds=SEEN),
        value=1.0,
        words="not noticed: der.b1",
    ),
    Case(
        name="disobedient_ders_noticed",
        says="left alone because it does not answer",
        found=found(injections=Injections(defects=DEFECTS[1:]), rounds=log(report(30.0, refused={"der.b1": "DE11"}))),
        value=1.0,
    ),
    Case(name="disobedient_ders_noticed", says="all obey", found=EMPTY, value=nan),
    Case(
        name="defaults_missed",
        says="two",
        found=found(service_gone=True, defaults_missed=("der.a", "der.b")),
        value=2.0,
        words="der.a, der.b",
    ),
    Case(name="defaults_missed", says="not gone", found=EMPTY, value=nan, applies=False),
    Case(
        name="default_reached_s_max",
        says="lost at 20 s, there from 60 s on",
        found=found(trace=LAPSES, outages=(ServiceOutage(start_s=20.0),)),
        value=40.0,
        words="der.b last",
    ),
    Case(
        name="default_reached_s_max",
        says="started again before the lease had lapsed",
        found=found(trace=LAPSES, outages=(ServiceOutage(start_s=20.0, end_s=45.0),)),
        value=nan,
        words="no DER was seen without a lease",
    ),
    Case(
        name="default_reached_s_max",
        says="keeps what it had",
        found=found(trace=KEEPS, outages=(ServiceOutage(start_s=20.0),)),
        value=nan,
        words="never: der.b",
    ),
    Case(name="default_reached_s_max", says="always there", found=found(trace=LAPSES), value=nan),
)
