"""Small decks of what feeders rarely have, each to be imported exactly. `{head}`, `{loads}` and `{tail}` are common."""

HEAD = """clear
new circuit.c basekv=12.47 pu=1.02 bus1=src mvasc3=200 mvasc1=150
new line.l0 bus1=src bus2=a length=2 units=km r1=0.2 x1=0.4 r0=0.6 x0=1.2 c1=10 c0=5
"""
LOADS = """new load.p1 bus1=a.1 phases=1 kv=7.2 kw=40 kvar=15
new load.p2 bus1=a.2 phases=1 kv=7.2 kw=60 kvar=25 model=2
new load.p3 bus1=a.3 phases=1 kv=7.2 kw=30 kvar=10 model=5
"""
TAIL = """set maxcontroliter=200 maxiterations=200
set voltagebases=[12.47 4.16 0.48 0.416 0.208 0.24]
calcvoltagebases
solve
"""
_EVERY_MODEL = "zipv=[.2 .3 .5 .1 .5 .4 0.5] cvrwatts=.7 cvrvars=2.4"


def of_load_model(model: int) -> str:
    """Loads of one of the engine's models, wye and delta, inside their limits, below and above them."""
    more = f"model={model} {_EVERY_MODEL}"
    return (
        HEAD
        + f"new load.x bus1=a.1.2.3 kv=12.47 kw=900 kvar=300 conn={'wye' if model % 2 else 'delta'} {more}\n"
        + f"new load.y bus1=a.1 phases=1 kv=6 kw=300 kvar=90 {more}\n"
        + f"new load.w bus1=a.2 phases=1 kv=8.5 kw=300 kvar=90 {more}\n"
        + f"new load.v bus1=a.3 phases=1 kv=10.5 kw=300 kvar=90 {more}\n"
        + TAIL
    )


DECKS = {
    "two-phase delta load": """
        {head}
        {loads}
        new load.x bus1=a.1.2.3 phases=2 conn=delta kv=12.47 kw=300 kvar=100
        new load.y bus1=a.1.2 phases=2 conn=wye kv=12.47 kw=200 kvar=90
        new load.z bus1=a.2.3 phases=1 conn=delta kv=12.47 kw=120 kvar=30
        {tail}
    """,
    "four wire": """
        {head}
        new transformer.t windings=2 buses=(a b.1.2.3.4) conns=(delta wye) kvs=(12.47 .416) kvas=(500 500) xhl=5
        new reactor.g bus1=b.4 bus2=b.0 phases=1 r=5 x=0
        new linecode.w nphases=4 rmatrix=(.2|.05 .2|.05 .05 .2|.05 .05 .05 .2) xmatrix=(.3|.1 .3|.1 .1 .3|.1 .1 .1 .3)
        ~ cmatrix=(100|0 100|0 0 100|0 0 0 100) units=km
        new line.w bus1=b.1.2.3.4 bus2=d.1.2.3.4 linecode=w length=.2 units=km
        new reactor.g2 bus1=d.4 phases=1 r=20 x=0
        new load.d1 bus1=d.1.4 phases=1 kv=.24 kw=30 kvar=10
        new load.d2 bus1=d.2.4 phases=1 kv=.24 kw=10 kvar=5 model=2
        new load.d3 bus1=d.1.2.3.4 kv=.416 kw=30 kvar=5
        {tail}
    """,
    "four wire from the source": """
        clear
        new circuit.c basekv=0.416 bus1=s r1=.01 x1=.02 r0=.01 x0=.02
        new linecode.w nphases=4 rmatrix=(.2|.05 .2|.05 .05 .2|.05 .05 .05 .2) xmatrix=(.3|.1 .3|.1 .1 .3|.1 .1 .1 .3)
        ~ cmatrix=(100|0 100|0 0 100|0 0 0 100) units=km
        new line.w bus1=s.1.2.3.0 bus2=d.1.2.3.4 linecode=w length=.2 units=km
        new line.w2 bus1=d.1.2.3.4 bus2=e.1.2.3.4 linecode=w length=.2 units=km
        new load.d1 bus1=e.1.4 phases=1 kv=.24 kw=10 kvar=3
        new load.d2 bus1=e.2.4 phases=1 kv=.24 kw=4 kvar=1 model=2
        {tail}
    """,
    "neutral earthed by a reactor": """
        clear
        new circuit.c basekv=0.416 bus1=s r1=.01 x1=.02 r0=.01 x0=.02
        new linecode.w nphases=4 rmatrix=(.2|.05 .2|.05 .05 .2|.05 .05 .05 .2) xmatrix=(.3|.1 .3|.1 .1 .3|.1 .1 .1 .3)
        ~ cmatrix=(100|0 100|0 0 100|0 0 0 100) units=km
        new reactor.g bus1=s.4 phases=1 r=1 x=0
        new line.w bus1=s.1.2.3.4 bus2=d.1.2.3.4 linecode=w length=.2 units=km
        new load.d1 bus1=d.1.4 phases=1 kv=.24 kw=10 kvar=3
        new load.d2 bus1=d.2.4 phases=1 kv=.24 kw=4 kvar=1 model=2
        {tail}
    """,
    "load neutral impedance": """
        {head}
        {loads}
        new load.x bus1=a.1.2.3.4 kv=12.47 kw=300 kvar=100 rneut=20 xneut=5
        new load.y bus1=a.1.4 phases=1 kv=7.2 kw=100
        {tail}
    """,
    "PV, storage, generators": """
        {head}
        {loads}
        new line.l1 bus1=a bus2=b length=3 units=km r1=.3 x1=.5 r0=.9 x0=1.5
        new xycurve.e npts=4 xarray=[.1 .2 .4 1] yarray=[.86 .9 .93 .97]
        new xycurve.p npts=4 xarray=[0 25 75 100] yarray=[1.2 1 .8 .6]
        new pvsystem.p1 bus1=b kv=12.47 kva=600 pmpp=500 irradiance=.8 temperature=40 effcurve=e p-tcurve=p pf=.95
        new pvsystem.p2 bus1=b.2 phases=1 kv=7.2 kva=60 pmpp=50 irradiance=.98 kvar=10
        new pvsystem.p3 bus1=b.1.2 phases=1 conn=delta kv=12.47 kva=60 pmpp=50 model=2
        new pvsystem.p4 bus1=b.3 phases=1 kv=8.4 kva=60 pmpp=50
        new storage.s1 bus1=b kv=12.47 kwrated=200 kwhrated=800 %stored=60 state=discharging %discharge=50
        new storage.s2 bus1=b.1 phases=1 kv=7.2 kwrated=100 kwhrated=300 %stored=50 state=charging %charge=70
        new storage.ev_7 bus1=b.1.2.3 conn=delta kv=12.47 kwrated=22 kwhrated=60 state=idling
        new generator.g1 bus1=b kv=12.47 kw=400 kvar=100 model=1
        new generator.g3 bus1=b kv=12.47 kw=400 model=3 maxkvar=300 minkvar=-300
        new generator.g5 bus1=b.2 phases=1 kv=7.2 kw=40 model=5 kvar=10
        new generator.g7 bus1=b conn=delta kv=12.47 kw=40 model=7 kvar=10
        new generator.g4 bus1=b.3 phases=1 kv=8.4 kw=40 model=4 kvar=10
        {tail}
    """,
    "invcontrol": """
        {head}
        {loads}
        new line.l1 bus1=a bus2=b length=5 units=km r1=.3 x1=.5 r0=.9 x0=1.5
        new pvsystem.p1 bus1=b kv=12.47 kva=900 pmpp=800
        new pvsystem.p2 bus1=b.2 phases=1 kv=7.2 kva=260 pmpp=250
        new xycurve.vv npts=4 xarray=[.5 .95 1.02 1.5] yarray=[1 1 -1 -1]
        new invcontrol.i mode=voltvar vvc_curve1=vv
        {tail}
    """,
    "grounded wye delta": """
        {head}
        {loads}
        new transformer.t windings=2 buses=(a b) conns=(wye delta) kvs=(12.47 4.16) kvas=(500 500) xhl=5
        new load.b bus1=b kv=4.16 conn=delta kw=300 kvar=100
        new load.b2 bus1=b.1.2 phases=1 conn=delta kv=4.16 kw=30
        {tail}
    """,
    "ungrounded wye delta": """
        {head}
        {loads}
        new transformer.t windings=2 buses=(a.1.2.3.4 b) conns=(wye delta) kvs=(12.47 4.16) kvas=(500 500) xhl=5
        new load.b bus1=b kv=4.16 conn=delta kw=300 kvar=100
        new load.b2 bus1=b.1.2 phases=1 conn=delta kv=4.16 kw=30
        {tail}
    """,
    "delta delta": """
        {head}
        {loads}
        new transformer.t windings=2 buses=(a b) conns=(delta delta) kvs=(12.47 4.16) kvas=(500 500) xhl=5
        new load.b bus1=b kv=4.16 conn=delta kw=300 kvar=100
        new load.b2 bus1=b.1.2 phases=1 conn=delta kv=4.16 kw=30
        {tail}
    """,
    "leading delta wye with neutral reactor": """
        {head}
        {loads}
        new transformer.t windings=2 buses=(a b) conns=(delta wye) kvs=(12.47 4.16) kvas=(500 500)
        ~ xhl=5 leadlag=lead wdg=2 rneut=2 xneut=1 %imag=2 %noloadloss=.5
        new load.b bus1=b kv=4.16 kw=300 kvar=100
        new load.b2 bus1=b.1 phases=1 kv=2.4 kw=60
        {tail}
    """,
    "zigzag": """
        {head}
        {loads}
        new transformer.t windings=2 buses=(a b) conns=(delta wye) kvs=(12.47 4.16) kvas=(500 500) xhl=5
        new transformer.z1 phases=1 windings=2 buses=(b.1.4 b.0.2) kvs=(1.4 1.4) kvas=(100 100)
        new reactor.z bus1=b.4 phases=1 r=1 x=0
        new load.b bus1=b kv=4.16 kw=300 kvar=100
        {tail}
    """,
    "open wye open delta": """
        {head}
        {loads}
        new transformer.t1 phases=1 windings=2 buses=(a.1 b.1.2) kvs=(7.2 .24) kvas=(100 100) xhl=3
        new transformer.t2 phases=1 windings=2 buses=(a.2 b.2.3) kvs=(7.2 .24) kvas=(100 100) xhl=3
        new load.b bus1=b kv=.24 conn=delta kw=60 kvar=20
        new load.b2 bus1=b.1.2 phases=1 conn=delta kv=.24 kw=20
        {tail}
    """,
    "split phase": """
        {head}
        {loads}
        new transformer.t phases=1 windings=3 buses=(a.2 b.1.0 b.0.2) kvs=(7.2 .12 .12) kvas=(50 50 50)
        ~ xhl=2 xht=2 xlt=1.4 %rs=(.6 1.2 1.2)
        new line.s bus1=b.1.2 bus2=c.1.2 phases=2 rmatrix=(.5|.1 .5) xmatrix=(.2|.05 .2) cmatrix=(0|0 0) length=.05
        new load.c1 bus1=c.1 phases=1 kv=.12 kw=8 kvar=2
        new load.c2 bus1=c.2 phases=1 kv=.12 kw=3 kvar=1 model=4
        new load.c3 bus1=c.1.2 phases=2 kv=.208 kw=5 kvar=2
        new load.c4 bus1=c.1.2 phases=1 conn=delta kv=.24 kw=5 kvar=2
        new pvsystem.p bus1=c.1.2 phases=1 conn=delta kv=.24 kva=9 pmpp=7
        {tail}
    """,
    "three windings": """
        {head}
        {loads}
        new transformer.t windings=3 buses=(a b e) conns=(wye wye delta) kvs=(12.47 4.16 .48)
        ~ kvas=(900 700 200) xhl=7 xht=9 xlt=5
        new load.b bus1=b kv=4.16 kw=300 kvar=100
        new load.e bus1=e kv=.48 conn=delta kw=60
        {tail}
    """,
    "autotransformer": """
        {head}
        {loads}
        new autotrans.t windings=2 buses=(a b) conns=(series wye) kvs=(12.47 4.16) kvas=(900 900) xhx=7
        new load.b bus1=b kv=4.16 kw=300 kvar=100
        new load.b1 bus1=b.1 phases=1 kv=2.4 kw=30 kvar=10
        new regcontrol.r transformer=t winding=2 vreg=121 ptratio=20 band=2
        {tail}
    """,
    "regulators": """
        {head}
        {loads}
        new transformer.r1 phases=1 windings=2 buses=(a.1 b.1) kvs=(7.2 7.2) kvas=(2000 2000) xhl=.01 %loadloss=.01
        new transformer.r2 phases=1 windings=2 buses=(a.2 b.2) kvs=(7.2 7.2) kvas=(2000 2000) xhl=.01
        new transformer.r3 phases=1 windings=2 buses=(a.3 b.3) kvs=(7.2 7.2) kvas=(2000 2000) xhl=.01
        new regcontrol.r1 transformer=r1 winding=2 vreg=122 band=2 ptratio=60 r=2 x=3 ctprim=300
        new regcontrol.r2 transformer=r2 winding=2 vreg=124 band=2 ptratio=60
        new regcontrol.r3 transformer=r3 winding=1 tapwinding=1 vreg=119 band=2 ptratio=60
        new line.l1 bus1=b bus2=d length=4 units=km
        new load.d bus1=d kv=12.47 kw=1500 kvar=700
        new transformer.ltc windings=2 buses=(d e) conns=(delta wye) kvs=(12.47 4.16) kvas=(1000 1000)
        ~ xhl=6 wdg=2 numtaps=20 maxtap=1.15 mintap=.85 tap=1.01
        new regcontrol.ltc transformer=ltc winding=2 vreg=120 band=2 ptratio=20 bus=f.1
        new line.l2 bus1=e bus2=f length=.4 units=km
        new load.f bus1=f kv=4.16 kw=500 kvar=300
        new capacitor.c bus1=f kv=4.16 kvar=[100 200 100] numsteps=3 states=[1 0 1]
        {tail}
    """,
    "capacitors": """
        {head}
        {loads}
        new capacitor.d bus1=a conn=delta kvar=300 kv=12.47
        new capacitor.s bus1=a.1 phases=1 kvar=100 kv=7.2
        new capacitor.st bus1=a kvar=[100 100 100] kv=12.47 numsteps=3 states=[1 1 0]
        new capacitor.un bus1=a kvar=[100 200] kv=12.47 numsteps=2 states=[0 1]
        new capacitor.xl bus1=a kvar=300 kv=12.47 xl=5
        new capacitor.floating bus1=a.1.2.3 bus2=a.4.4.4 kvar=200 kv=12.47
        new line.l1 bus1=a bus2=b length=4 units=km
        new capacitor.series bus1=b bus2=d phases=3 cuf=600
        new load.d bus1=d kv=12.47 kw=1500 kvar=700
        new capcontrol.cc capacitor=st element=line.l1 type=voltage ptratio=60 onsetting=119 offsetting=125
        {tail}
    """,
    "reactors and shunts": """
        {head}
        {loads}
        new reactor.s bus1=a bus2=b phases=3 r=.1 x=2
        new reactor.p bus1=b phases=3 kvar=100 kv=12.47
        new reactor.d bus1=b phases=3 conn=delta kvar=50 kv=12.47
        new fault.f bus1=b.1 r=300
        new load.b bus1=b kv=12.47 kw=600 kvar=100
        {tail}
    """,
    "two sources": """
        {head}
        {loads}
        new vsource.v2 bus1=z basekv=12.47 pu=1.01 angle=1 r1=1 x1=3 r0=1 x0=4
        new line.tie bus1=a bus2=z length=3 units=km
        new vsource.v3 bus1=z.1 phases=1 basekv=7.2 pu=1.0 r1=5 x1=20
        {tail}
    """,
    "source in series": """
        {head}
        {loads}
        new vsource.v2 bus1=a bus2=z basekv=.5 angle=30 r1=.01 x1=.1 r0=.01 x0=.1
        new load.z bus1=z kv=12.47 kw=500 kvar=200
        {tail}
    """,
    "current source": """
        {head}
        {loads}
        new isource.i bus1=a phases=3 amps=10 angle=20
        {tail}
    """,
    "induction machine": """
        {head}
        {loads}
        new indmach012.m bus1=a kv=12.47 kw=300 kva=400 conn=delta
        {tail}
    """,
    "one pole open": """
        {head}
        {loads}
        new line.x bus1=a bus2=b length=2 units=km
        new load.b1 bus1=b.1 phases=1 kv=7.2 kw=100
        new load.b2 bus1=b.2 phases=1 kv=7.2 kw=100
        open line.x 1 2
        {tail}
    """,
    "open at one end": """
        {head}
        {loads}
        new line.x bus1=a bus2=b length=20 units=km c1=300 c0=200
        new load.b1 bus1=b kv=12.47 kw=100
        new line.y bus1=a bus2=b length=1 units=km
        open line.x 1
        {tail}
    """,
    "dead section": """
        {head}
        {loads}
        new line.sw bus1=a bus2=b switch=yes
        new line.y bus1=b bus2=c length=1 units=km
        new load.c bus1=c kv=12.47 kw=100
        new transformer.t windings=2 buses=(c e) conns=(delta wye) kvs=(12.47 .48) kvas=(500 500)
        new load.e bus1=e kv=.48 kw=10
        open line.sw 2
        {tail}
    """,
    "no bases": """
        {head}
        {loads}
        new transformer.t windings=2 buses=(a e) conns=(delta wye) kvs=(12.47 .48) kvas=(500 500)
        new load.e bus1=e kv=.48 kw=10
        solve
    """,
    "disabled": """
        {head}
        {loads}
        new line.y bus1=a bus2=b
        new load.b bus1=b kv=12.47 kw=100
        new line.z bus1=b bus2=c
        disable line.z
        new load.off bus1=q kv=12.47 kw=10 enabled=no
        new line.w bus1=q bus2=r enabled=n
        {tail}
    """,
    "protection": """
        {head}
        {loads}
        new line.y bus1=a bus2=b length=1 units=mi normamps=300 emergamps=500 faultrate=.2 pctperm=40 repair=5
        new line.z bus1=b bus2=c length=1 units=kft
        new line.w bus1=c bus2=d length=1000 units=ft
        new load.d bus1=d kv=12.47 kw=100 numcust=7
        new fuse.f monitoredobj=line.z ratedcurrent=65
        new recloser.r monitoredobj=line.y phasetrip=400 groundtrip=150 shots=3
        new relay.q monitoredobj=line.l0 phasetrip=600
        new swtcontrol.s switchedobj=line.w normal=closed
        {tail}
    """,
    "50 Hz": """
        clear
        set defaultbasefrequency=50
        new circuit.c basekv=12.47 pu=1.02 bus1=src mvasc3=200 mvasc1=150
        new line.l0 bus1=src bus2=a length=2 units=km r1=0.2 x1=0.4 r0=0.6 x0=1.2 c1=10 c0=5
        {loads}
        {tail}
    """,
    "frequency 55": """
        {head}
        {loads}
        set frequency=55
        {tail}
    """,
    "positive sequence": """
        {head}
        new line.l1 bus1=a bus2=b length=4 units=km
        new load.b bus1=b kv=12.47 kw=600 kvar=200
        new transformer.t windings=2 buses=(b e) conns=(delta wye) kvs=(12.47 .48) kvas=(500 500)
        new load.e bus1=e kv=.48 kw=100
        makeposseq
        {tail}
    """,
    "load multiplier": """
        {head}
        {loads}
        new load.f bus1=a kv=12.47 kw=100 status=fixed
        new load.e bus1=a kv=12.47 kw=100 status=exempt
        set loadmult=0.6
        {tail}
    """,
    "growth year": """
        {head}
        {loads}
        new growthshape.g npts=2 year=[1 2] mult=[1.05 1.1]
        new load.f bus1=a kv=12.47 kw=100 growth=g
        set year=4
        {tail}
    """,
    "daily": """
        {head}
        new loadshape.s npts=24 interval=1 mult=[.1 .2 .3 .4 .5 .6 .7 .8 .9 1 1 1 1 1 1 1 1 1 .9 .8 .7 .6 .5 .4]
        {loads}
        new load.s bus1=a.1 phases=1 kv=7.2 kw=40 daily=s
        {tail}
        set mode=daily number=5
        solve
    """,
    "admittance loads": """
        {head}
        {loads}
        set loadmodel=admittance
        {tail}
    """,
    "tiny impedances": """
        {head}
        {loads}
        new line.j bus1=a bus2=b r1=1e-6 x1=1e-6 r0=1e-6 x0=1e-6 c1=0 c0=0 length=.001
        new line.k bus1=b bus2=c length=0.00001 units=km
        new load.c bus1=c kv=12.47 kw=900 kvar=100
        {tail}
    """,
    "jumper between phases": """
        {head}
        {loads}
        new line.j bus1=a.1 bus2=b.2 phases=1 switch=yes
        new line.k bus1=a.1.2.3 bus2=c.2.3.1 switch=y
        new load.b bus1=b.2 phases=1 kv=7.2 kw=90 kvar=10
        new load.c bus1=c.2 phases=1 kv=7.2 kw=90 kvar=10
        {tail}
    """,
    "low voltage loads": """
        {head}
        new line.l1 bus1=a bus2=b length=30 units=km r1=.3 x1=.5 r0=.9 x0=1.5
        new load.b bus1=b kv=12.47 kw=2000 kvar=700 vminpu=.9
        new load.b1 bus1=b.1 phases=1 kv=7.2 kw=200 kvar=50 vminpu=.95 model=8 zipv=[.3 .3 .4 .5 .3 .2 .6]
        {tail}
    """,
    "allocated": """
        {head}
        new load.x bus1=a kv=12.47 xfkva=500 allocationfactor=.5 pf=.9
        new load.y bus1=a kv=12.47 kwh=20000 kwhdays=30 cfactor=4 pf=.9
        new load.z bus1=a.1 phases=1 kv=7.2 kva=100 pf=-.95
        {tail}
    """,
    "delta generator unbalanced out of limits": """
        {head}
        {loads}
        new generator.g bus1=a conn=delta kv=10.5 kw=300 kvar=100
        new generator.h bus1=a kv=14 kw=300 kvar=100
        new pvsystem.p bus1=a conn=delta kv=14.5 kva=300 pmpp=250
        {tail}
    """,
    "gic transformer": """
        {head}
        {loads}
        new gictransformer.g bush=a busnh=a.4.4.4 r1=.2 type=GSU
        {tail}
    """,
    "load open": """
        {head}
        {loads}
        new load.x bus1=a kv=12.47 kw=300 kvar=100
        open load.x 1 2
        new load.q bus1=a kv=12.47 kw=300 kvar=100
        open load.q 1
        new capacitor.k bus1=a kv=12.47 kvar=300
        open capacitor.k 1
        new capacitor.k2 bus1=a kv=12.47 kvar=300
        open capacitor.k2 1 3
        new transformer.t windings=2 buses=(a e) conns=(wye wye) kvs=(12.47 .48) kvas=(500 500)
        new load.e bus1=e kv=.48 kw=10
        open transformer.t 1 3
        {tail}
    """,
    "line to itself neutral": """
        {head}
        {loads}
        new line.j bus1=a.1.2.3 bus2=a.4.5.6 r1=1 x1=1 r0=1 x0=1 c1=0 c0=0
        new load.j bus1=a.4 phases=1 kv=7.2 kw=10
        new load.k bus1=a.5 phases=1 kv=7.2 kw=10
        new load.l bus1=a.6.5 phases=1 conn=delta kv=12.47 kw=10
        {tail}
    """,
    "6 phase": """
        {head}
        {loads}
        new line.j bus1=a.1.2.3.1.2.3 bus2=b.1.2.3.4.5.6 phases=6 switch=no r1=.1 x1=.2 r0=.3 x0=.6 c1=0
        ~ c0=0 length=1
        new load.j bus1=b.4 phases=1 kv=7.2 kw=10
        {tail}
    """,
    "line grounded end": """
        {head}
        {loads}
        new line.j bus1=a.1.2.3 bus2=b.1.2.0 length=.1 r1=50 x1=50 r0=50 x0=50 c1=0 c0=0
        new load.j bus1=b.1 phases=1 kv=7.2 kw=10
        {tail}
    """,
    "center delta high leg": """
        {head}
        {loads}
        new transformer.t1 phases=1 windings=3 buses=(a.1.2 s.1.0 s.0.2) conns=(delta wye wye)
        ~ kvs=(12.47 .12 .12) kvas=(50 50 50)
        new transformer.t2 phases=1 windings=2 buses=(a.2.3 s.2.3) conns=(delta delta) kvs=(12.47 .24)
        ~ kvas=(50 50)
        new load.s1 bus1=s.1 phases=1 kv=.12 kw=5
        new load.s3 bus1=s.1.2.3 conn=delta kv=.24 kw=20
        {tail}
    """,
    "regulator between phases": """
        {head}
        new transformer.r1 phases=1 windings=2 buses=(a.1.2 b.1.2) conns=(delta delta) kvs=(12.47 12.47)
        ~ kvas=(2000 2000) xhl=.01
        new transformer.r2 phases=1 windings=2 buses=(a.3.2 b.3.2) conns=(delta delta) kvs=(12.47 12.47)
        ~ kvas=(2000 2000) xhl=.01
        new line.j bus1=a.2 bus2=b.2 phases=1 r1=1e-4 x1=1e-4 r0=1e-4 x0=1e-4 c1=0 c0=0
        new regcontrol.r1 transformer=r1 winding=2 vreg=123 ptratio=103
        new regcontrol.r2 transformer=r2 winding=2 vreg=124 ptratio=103
        new load.b bus1=b kv=12.47 conn=delta kw=900 kvar=300
        {tail}
    """,
    "autotrans 3": """
        {head}
        {loads}
        new autotrans.t windings=3 buses=(a b e) conns=(series wye delta) kvs=(12.47 4.16 .48) kvas=(900 900 100)
        ~ xhx=7 xht=9 xxt=9
        new load.b bus1=b kv=4.16 kw=300 kvar=100
        new load.e bus1=e kv=.48 conn=delta kw=10
        {tail}
    """,
    "geometry": """
        {head}
        {loads}
        new wiredata.w gmrac=.2 gmrunits=in rac=.3 runits=mi normamps=300 radunits=in diam=.7
        new linegeometry.g nconds=4 nphases=3 reduce=y cond=1 wire=w x=-4 h=28 units=ft cond=2 wire=w
        ~ x=-1.5 h=28 units=ft cond=3 wire=w x=3 h=28 units=ft cond=4 wire=w x=0 h=24 units=ft
        new line.g bus1=a bus2=b geometry=g length=3000 units=ft
        new load.b bus1=b kv=12.47 kw=900
        {tail}
    """,
    "generator wye neutral": """
        {head}
        {loads}
        new generator.g bus1=a.1.2.3.4 kv=12.47 kw=300 kvar=50
        new reactor.g bus1=a.4 phases=1 r=10 x=1
        new load.q bus1=a.1.4 phases=1 kv=7.2 kw=50
        {tail}
    """,
    "loop": """
        {head}
        {loads}
        new line.x bus1=a bus2=b length=1 units=km
        new line.y bus1=b bus2=c length=1 units=km
        new line.z bus1=c bus2=a length=1 units=km
        new load.c bus1=c.1 phases=1 kv=7.2 kw=500 kvar=300
        {tail}
    """,
    "spaces and case": """
        {head}
        {loads}
        New Line.My-Line_1.A bus1=A.1.2.3 bus2=Bus.One.1.2.3
        New Load.B Bus1=A kV=12.47 kW=10
        {tail}
    """,
    "newton": """
        {head}
        {loads}
        set algorithm=newton
        {tail}
    """,
    "isolated load bus": """
        {head}
        {loads}
        new load.q bus1=zz kv=12.47 kw=10
        {tail}
    """,
}
