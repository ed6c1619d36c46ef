"""`adms estimate --positions`: is each switch and tap changer where it is said to be? As JSON objects and to read."""

from collections import Counter
from collections.abc import Mapping
from math import isfinite
from typing import Any

from adms.adapters.measurements_rows import Measurements
from adms.cli.estimate_beliefs import POLICY
from adms.core.ids import ElementId
from adms.core.positions import PositionVerdict, Standing, Witness
from adms.core.telemetry import PointKey, TelemetrySnapshot
from adms.estimation import EstimatorState, prior_from_model
from adms.estimation.hypotheses import weighed
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState

HYPOTHESES = HypothesisPolicy(
    least_odds=100.0,
    alarm_probability=0.001,
    odds_apart=100.0,
    naming_probability=0.95,
    voltage_bias_frac=0.0,
    power_bias_frac=0.0,
    bad_meter_odds=0.1,
    gross_error_sigmas=300.0,
    misfit_probability=1e-4,
    window_scans=60,
    exact_each_scan=1000,
    by_turn=1000,
)
"""One question, asked once: a wrong answer in a thousand may be. Errors that meters always have are in the sigmas of
the rows."""

_SHOWN = 10
_WORDS: Mapping[Standing, str] = {
    Standing.AS_REPORTED: "as reported",
    Standing.WRONG: "wrong",
    Standing.OPEN: "not decided by one scan",
    Standing.UNDECIDABLE: "undecidable",
}
_ONE_SCAN = "loads as in the model; one file is one scan, and a running service, which averages many, can tell more"


def positions_tested(
    arrays: NetworkArrays,
    grid: GridState,
    *,
    snapshot: TelemetrySnapshot,
    unknown: frozenset[ElementId],
    state: EstimatorState | None,
    measurements: Measurements,
) -> dict[str, Any]:
    """What one scan says of the reported positions, as a JSON object.

    Loads are believed as the model has them, whatever pseudo-measurements the estimate uses: where anything is believed
    of a load, none at all is so improbable that every idle feeder would look switched off (Lindley's paradox).

    Args:
        arrays: the network.
        grid: positions as reported.
        snapshot: the measurements.
        unknown: devices whose position is not known: nothing is said of them.
        state: that the estimate left, where there is one.
        measurements: the rows.
    """
    _, verdicts = weighed(
        None,
        snapshot=snapshot,
        arrays=arrays,
        grid=grid,
        prior=prior_from_model(arrays, POLICY),
        policy=POLICY,
        hypotheses=HYPOTHESES,
        unknown=unknown,
        estimator=state,
    )
    line = {row.key: row.line for row in measurements.rows}
    return {"scans": 1, "verdicts": [_as_json(each, line) for each in verdicts]}


def _as_json(verdict: PositionVerdict, line: Mapping[PointKey, int]) -> dict[str, Any]:
    return {
        "device": verdict.device,
        "kind": "tap" if verdict.is_tap else "switch",
        "standing": verdict.standing.value,
        "instead": list(verdict.instead),
        "log_odds": verdict.log_odds if isfinite(verdict.log_odds) else None,
        "odds": verdict.odds_in_words,
        "why": verdict.why,
        "carried_by": [_witness(each, line) for each in verdict.witnesses],
    }


def _witness(witness: Witness, line: Mapping[PointKey, int]) -> dict[str, Any]:
    key = witness.key
    return {
        "line": line.get(key),
        "kind": key.kind.value,
        "element": key.element,
        "phase": str(key.phase),
        "side": key.side,
        "reported_sigmas": witness.reported_sigmas,
        "instead_sigmas": witness.instead_sigmas,
    }


def print_positions(tested: dict[str, Any]) -> None:
    """A summary of the JSON object of `positions_tested`."""
    verdicts = tested["verdicts"]
    if not verdicts:
        print("positions: no switch or tap changer to test")
        return
    counts = Counter(each["standing"] for each in verdicts)
    said = ", ".join(f"{counts[standing.value]} {words}" for standing, words in _WORDS.items())
    print(f"positions of {len(verdicts)} switches and tap changers: {said} ({_ONE_SCAN})")
    told: set[tuple[str, ...]] = set()
    for each in sorted(verdicts, key=lambda each: -(each["log_odds"] or 0.0)):
        if each["standing"] == Standing.WRONG.value and tuple(each["instead"]) not in told:
            told.add(tuple(each["instead"]))
            why = f"; {each['why']}" if each["why"] else ""
            print(f"  wrong: {' or '.join(each['instead'])}, odds {each['odds']}{why}")
            for witness in each["carried_by"]:
                print(f"    {_witness_in_words(witness)}")
    for standing in (Standing.OPEN, Standing.UNDECIDABLE):
        chosen = [each for each in verdicts if each["standing"] == standing.value]
        for each in chosen[:_SHOWN]:
            print(
                f"  {_WORDS[standing]}: {each['device']}, odds {each['odds']} for {each['instead'][0]}: {each['why']}"
            )
        if len(chosen) > _SHOWN:
            print(f"  and {len(chosen) - _SHOWN} more")


def _witness_in_words(witness: dict[str, Any]) -> str:
    place = witness["element"] + (f".{witness['phase']}" if witness["phase"] != "0" else "")
    before, after = abs(witness["reported_sigmas"]), abs(witness["instead_sigmas"])
    return f"line {witness['line']}: {witness['kind']} {place} is {before:.1f} sigma off as reported, {after:.1f} then"
