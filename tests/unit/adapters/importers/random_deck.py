"""Decks drawn at random: a substation, a tree of lines of one, two and three phases with loops and open ties, banks of
every usual connection, and whatever draws or injects below them."""

import random

_LV_BANKS = ("delta wye", "wye wye", "wye delta", "delta delta")


class RandomDeck:
    """One deck of a seed; `text` is what OpenDSS reads."""

    def __init__(self, seed: int, *, buses: int = 14) -> None:
        self._draw = random.Random(seed)
        self._lines: list[str] = []
        self._count = 0
        self._phases_at: dict[str, tuple[int, ...]] = {}
        self._share = 1.0 / buses
        self._substation()
        for _ in range(buses):
            self._another_bus()
        self._ties()
        self._regulated_bank()
        for bus, phases in list(self._phases_at.items()):
            self._devices(bus, phases)
        self._lines += [
            "set maxiterations=200 maxcontroliter=200",
            "set voltagebases=[115 24.9 12.47 4.16 0.48 0.208]",
            "calcvoltagebases",
        ]

    @property
    def text(self) -> str:
        """The deck."""
        return "\n".join(self._lines) + "\n" + "\n".join(self._opened) + "\nsolve\n"

    def _new(self, kind: str, rest: str) -> str:
        self._count += 1
        self._lines.append(f"new {kind}.{kind[0]}{self._count} {rest}")
        return f"{kind}.{kind[0]}{self._count}"

    def _number(self, low: float, high: float) -> str:
        return f"{self._draw.uniform(low, high):.4f}"

    def _substation(self) -> None:
        self._opened: list[str] = []
        self._kv = self._draw.choice((24.9, 12.47, 4.16))
        self._mva = {24.9: 6.0, 12.47: 3.0, 4.16: 0.8}[self._kv]
        self._lines += [
            "clear",
            f"new circuit.r basekv=115 bus1=src pu={self._number(0.98, 1.04)} angle={self._number(-40, 40)} "
            "mvasc3=2000 mvasc1=1500",
        ]
        conns = self._draw.choice(("delta wye", "wye wye"))
        bank = self._new(
            "transformer",
            f"windings=2 buses=(src b0) conns=({conns}) kvs=(115 {self._kv}) kvas=({8e3 * self._mva / 3:.0f} "
            f"{8e3 * self._mva / 3:.0f}) xhl={self._number(5, 9)} %loadloss={self._number(0.2, 1)} "
            f"%imag={self._number(0, 1)} %noloadloss={self._number(0, 0.5)}",
        )
        if self._draw.random() < 0.6:
            ratio = self._kv * 1e3 / 3**0.5 / 120
            self._new("regcontrol", f"transformer={bank.split('.')[1]} winding=2 vreg=122 band=3 ptratio={ratio:.3f}")
        self._phases_at["b0"] = (1, 2, 3)

    def _matrix(self, size: int, own: tuple[float, float], mutual: float) -> str:
        rows = []
        for i in range(size):
            entries = [self._number(0.3 * mutual, mutual) for _ in range(i)] + [self._number(*own)]
            rows.append(" ".join(entries))
        return "(" + "|".join(rows) + ")"

    def _another_bus(self) -> None:
        root = self._draw.choice(list(self._phases_at))
        of = self._phases_at[root]
        count = self._draw.choice((len(of), len(of), self._draw.randint(1, len(of))))
        phases = tuple(sorted(self._draw.sample(of, count)))
        bus = f"b{len(self._phases_at)}"
        self._line(root, bus, phases)
        self._phases_at[bus] = phases

    def _line(self, fr: str, to: str, phases: tuple[int, ...]) -> str:
        dots = "".join(f".{phase}" for phase in phases)
        if self._draw.random() < 0.2:
            return self._new("line", f"bus1={fr}{dots} bus2={to}{dots} phases={len(phases)} switch=yes")
        length = self._draw.uniform(0.05, 1.0) * self._kv / 12.47
        n = len(phases)
        c = self._matrix(n, (5, 250), 0.0).replace("0.0000", "-1")
        return self._new(
            "line",
            f"bus1={fr}{dots} bus2={to}{dots} phases={n} units=km length={length:.4f} normamps=400 "
            f"rmatrix={self._matrix(n, (0.2, 0.6), 0.15)} xmatrix={self._matrix(n, (0.4, 0.9), 0.3)} cmatrix={c}",
        )

    def _ties(self) -> None:
        three = [bus for bus, phases in self._phases_at.items() if len(phases) == 3]
        for _ in range(2):
            if len(three) > 2:
                fr, to = self._draw.sample(three, 2)
                tie = self._line(fr, to, (1, 2, 3))
                if self._draw.random() < 0.7:
                    self._opened.append(f"open {tie} {self._draw.randint(1, 2)}")

    def _regulated_bank(self) -> None:
        """Three single-phase regulators in front of a new end of the feeder."""
        three = [bus for bus, phases in self._phases_at.items() if len(phases) == 3]
        root, bus = self._draw.choice(three), f"b{len(self._phases_at)}"
        kv = self._kv / 3**0.5
        for phase in self._draw.choice(((1, 2, 3), (1, 3), (2,))):
            bank = self._new(
                "transformer",
                f"phases=1 windings=2 buses=({root}.{phase} {bus}.{phase}) kvs=({kv:.4f} {kv:.4f}) "
                f"kvas=({1e3 * self._mva:.0f} {1e3 * self._mva:.0f}) xhl=0.5 %loadloss=0.1 ppm=1",
            )
            winding = self._draw.choice((1, 2))
            more = f"winding=2 tapwinding={winding}" if winding == 1 else "winding=2"
            drop = self._draw.choice(("", " r=2 x=4 ctprim=300"))
            self._new(
                "regcontrol",
                f"transformer={bank.split('.')[1]} {more} vreg={self._draw.randint(119, 124)} band=3 "
                f"ptratio={kv * 1e3 / 120:.4f}{drop}",
            )
            self._phases_at[bus] = (*self._phases_at.get(bus, ()), phase)

    def _devices(self, bus: str, phases: tuple[int, ...]) -> None:
        kw = 1e3 * self._mva * self._share
        if self._draw.random() < 0.8:
            self._load(bus, phases, kw, self._kv)
        if self._draw.random() < 0.25:
            self._capacitor(bus, phases, 0.5 * kw)
        if self._draw.random() < 0.5 and bus != "b0":
            self._secondary(bus, phases, 0.5 * kw)
        if self._draw.random() < 0.3:
            self._der(bus, phases, 0.5 * kw, self._kv)

    def _at(self, bus: str, phases: tuple[int, ...], kv: float) -> str:
        """Bus, phases, connection and voltage of a device on some of a bus's phases."""
        some = tuple(self._draw.sample(phases, self._draw.randint(1, len(phases))))
        dots = "".join(f".{phase}" for phase in some)
        if len(some) == 1:
            return f"bus1={bus}{dots} phases=1 kv={kv / 3**0.5:.5f}"
        if len(some) == 2:
            return f"bus1={bus}{dots} phases=1 conn=delta kv={kv}"
        return f"bus1={bus}{dots} phases=3 conn={self._draw.choice(('wye', 'delta'))} kv={kv}"

    def _load(self, bus: str, phases: tuple[int, ...], kw: float, kv: float) -> None:
        model = self._draw.randint(1, 8)
        more = {4: "cvrwatts=0.8 cvrvars=2.2", 8: "zipv=[0.3 0.2 0.5 0.5 0.1 0.4 0.7]"}.get(model, "")
        p = kw * self._draw.uniform(0.3, 1.0)
        self._new(
            "load",
            f"{self._at(bus, phases, kv)} model={model} kw={p:.3f} kvar={p * self._draw.uniform(-0.1, 0.5):.3f} "
            f"vminpu={self._draw.choice((0.85, 0.95))} vmaxpu={self._draw.choice((1.05, 1.2))} {more}",
        )

    def _capacitor(self, bus: str, phases: tuple[int, ...], kvar: float) -> None:
        steps = self._draw.randint(1, 3)
        states = " ".join(str(self._draw.randint(0, 1)) for _ in range(steps))
        sizes = " ".join(f"{kvar * self._draw.choice((1, 1, 2)):.3f}" for _ in range(steps))
        self._new("capacitor", f"{self._at(bus, phases, self._kv)} numsteps={steps} kvar=[{sizes}] states=[{states}]")

    def _der(self, bus: str, phases: tuple[int, ...], kw: float, kv: float) -> None:
        at = self._at(bus, phases, kv)
        size = f"kva={1.2 * kw:.3f}"
        limits = f"vminpu={self._draw.choice((0.8, 0.98))} vmaxpu={self._draw.choice((1.01, 1.2))}"
        kind = self._draw.choice(("pvsystem", "storage", "generator"))
        if kind == "pvsystem":
            self._new(
                kind, f"{at} {size} {limits} pmpp={kw:.3f} irradiance={self._number(0.3, 1)} pf={self._number(0.8, 1)}"
            )
        elif kind == "storage":
            state = self._draw.choice(("charging", "discharging", "idling"))
            self._new(kind, f"{at} {size} {limits} kwrated={kw:.3f} kwhrated={4 * kw:.3f} %stored=50 state={state}")
        else:
            model = self._draw.choice((1, 2, 5))
            self._new(kind, f"{at} {size} {limits} kw={kw:.3f} kvar={0.2 * kw:.3f} model={model}")

    def _secondary(self, bus: str, phases: tuple[int, ...], kw: float) -> None:
        """A bank, a secondary line and devices on it."""
        low, end = f"{bus}lv", f"{bus}end"
        rating = f"{4 * kw:.2f}"
        if len(phases) == 3 and self._draw.random() < 0.7:
            conns = self._draw.choice(_LV_BANKS)
            self._new(
                "transformer",
                f"windings=2 buses=({bus} {low}) conns=({conns}) kvs=({self._kv} 0.48) kvas=({rating} {rating}) "
                f"xhl={self._number(2, 6)} %loadloss={self._number(0.5, 2)} "
                f"leadlag={self._draw.choice(('lead', 'lag'))}",
            )
            delta = conns.endswith("delta")
            if delta:
                # A millionth of the rating holds what floats to ground: behind a short line, rounding of the line's
                # large admittance moves the common voltage by more than 1e-6 pu, in the engine as well.
                end = low
            else:
                self._new("line", f"bus1={low} bus2={end} r1=0.002 x1=0.003 r0=0.005 x0=0.008 c1=0 c0=0")
            for _ in range(2):
                if delta:
                    at = self._draw.choice(
                        (f"bus1={end} conn=delta kv=0.48", f"bus1={end}.1.2 phases=1 conn=delta kv=0.48")
                    )
                    self._new("load", f"{at} kw={0.4 * kw:.3f} kvar={0.1 * kw:.3f} model={self._draw.randint(1, 7)}")
                else:
                    self._load(end, (1, 2, 3), 0.4 * kw, 0.48)
            if not delta:
                self._der(end, (1, 2, 3), 0.3 * kw, 0.48)
        else:
            phase, kv = self._draw.choice(phases), self._kv / 3**0.5
            self._new(
                "transformer",
                f"phases=1 windings=3 buses=({bus}.{phase} {low}.1.0 {low}.0.2) kvs=({kv:.4f} 0.12 0.12) "
                f"kvas=({rating} {rating} {rating}) xhl=2.0 xht=2.0 xlt=1.4 %rs=(0.6 1.2 1.2)",
            )
            self._new(
                "line",
                f"bus1={low}.1.2 bus2={end}.1.2 phases=2 rmatrix=(0.0004|0.0001 0.0004) xmatrix=(0.0003|0.0001 0.0003) "
                "cmatrix=(0|0 0)",
            )
            for at in ("1 phases=1 kv=0.12", "2 phases=1 kv=0.12", "1.2 phases=1 conn=delta kv=0.24"):
                self._new(
                    "load", f"bus1={end}.{at} kw={0.2 * kw:.3f} kvar={0.05 * kw:.3f} model={self._draw.randint(1, 7)}"
                )
            if self._draw.random() < 0.5:
                self._new(
                    "pvsystem", f"bus1={end}.1.2 phases=1 conn=delta kv=0.24 kva={0.5 * kw:.3f} pmpp={0.4 * kw:.3f}"
                )
