"""Counts of what is said of wrong positions, with confidence intervals.

`python -m tests.estimation_study.position_rates --help`. The thresholds of `positions_by_odds` were chosen on the seeds
of `tests/benchmarks`; these are others.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from functools import partial

from scipy.stats import beta

from tests.estimation_study.plans import Extent
from tests.estimation_study.positions_by_odds import switch_by_odds, tap_by_odds
from tests.estimation_study.studies import Study, study
from tests.estimation_study.wrong_positions import (
    LEAST_FLOW_SIGMAS,
    OR,
    UNDECIDABLE,
    closed_switches,
    flow_over_sigma,
    switch_naming,
    tap_naming,
)

ALONE, AMONG, ANOTHER, NOTHING = "named alone", "named among a few", "another named", "nothing said"


def interval(hits: int, of: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Clopper & Pearson, Biometrika 26(4), 1934).

    Args:
        hits: how many.
        of: of so many.
    """
    low = float(beta.ppf(0.025, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, of - hits)) if hits < of else 1.0
    return low, high


def counted(device: str, answers: Iterable[str | None]) -> Counter[str]:
    """What was said of one device that was wrong.

    Args:
        device: it.
        answers: devices that were named, `UNDECIDABLE`, or None.
    """
    found: Counter[str] = Counter()
    for said in answers:
        if said is None:
            found[NOTHING] += 1
        elif said == UNDECIDABLE:
            found[UNDECIDABLE] += 1
        elif said == device:
            found[ALONE] += 1
        else:
            found[AMONG if device in said.split(OR) else ANOTHER] += 1
    return found


def told(name: str, found: Counter[str]) -> str:
    """One line."""
    total = sum(found.values())
    parts = []
    for what, hits in found.most_common():
        low, high = interval(hits, total)
        parts.append(f"{what} {hits} of {total} ({100 * low:.1f} to {100 * high:.1f} %)")
    return f"{name}: {', '.join(parts)}"


def _switches(one: Study, *, draws: int, seed: int) -> None:
    every: Counter[str] = Counter()
    for switch in closed_switches(one):
        flow = flow_over_sigma(one, switch)
        if flow <= LEAST_FLOW_SIGMAS:
            continue
        said = switch_naming(one, switch_by_odds(one), switches=[switch], draws=draws, seed=seed).said[switch]
        found = counted(switch, said)
        every += found
        print(told(f"{one.name} {switch}, {flow:.0f} sigma", found), flush=True)
    if every:
        print(told(f"{one.name} all switches", every), flush=True)


def _taps(one: Study, *, runs: int, seed: int, bias_frac: float, stated_frac: float) -> None:
    every: Counter[str] = Counter()
    for changer in [str(one.arrays.branches[i].id) for i in one.arrays.tapped]:
        start = partial(tap_by_odds, one, changer, voltage_bias_frac=stated_frac)
        found = counted(
            changer,
            tap_naming(one, start, changers=[changer], runs=runs, seed=seed, bias_frac=bias_frac).said[changer],
        )
        every += found
        print(told(f"{one.name} {changer}", found), flush=True)
    print(told(f"{one.name} all taps, bias {bias_frac:g}, stated {stated_frac:g}", every), flush=True)


def main() -> None:
    """Counts of one feeder."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("feeder")
    asked.add_argument("what", choices=("switches", "taps"))
    asked.add_argument("--draws", type=int, default=50, help="scans, or runs of sixty, with each device")
    asked.add_argument("--seed", type=int, default=741)
    asked.add_argument("--bias", type=float, default=0.0, help="of the voltage meters, over their readings")
    asked.add_argument("--stated", type=float, default=0.0, help="what is believed of it")
    given = asked.parse_args()
    if given.what == "switches":
        _switches(study(given.feeder, extent=Extent(flows=4)), draws=given.draws, seed=given.seed)
        return
    one = study(given.feeder, extent=Extent(flows=4, at_taps=True))
    _taps(one, runs=given.draws, seed=given.seed, bias_frac=given.bias, stated_frac=given.stated)


if __name__ == "__main__":
    main()
