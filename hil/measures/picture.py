"""The service's picture of the feeder: is there one, can it be trusted, does it know how good it is."""

from __future__ import annotations

import numpy as np

from adms.client import Grade
from hil.measures.findings import Findings
from hil.measures.measure import Finding, at_least, at_most, not_judged
from hil.record import DEAD_PU
from hil.rounds import Round

NO_ROUND = not_judged("no round of the service was due")
_SIGMAS = 3.0


def due(found: Findings) -> list[Round]:
    """The rounds at times when the service was there."""
    return [one for one in found.rounds if one.service_up]


def _share(found: Findings, *, which: frozenset[Grade | None], words: str) -> Finding:
    rounds = due(found)
    if not rounds:
        return NO_ROUND
    count = sum(one.grade in which for one in rounds)
    return Finding(value=count / len(rounds), text=f"{count} of {len(rounds)} rounds {words}")


def _without(found: Findings) -> Finding:
    return _share(found, which=frozenset({None, Grade.FAILED}), words="without a picture")


def _inconsistent(found: Findings) -> Finding:
    return _share(found, which=frozenset({Grade.INCONSISTENT}), words="with a picture that contradicts its own inputs")


def _trusted(found: Findings) -> Finding:
    good = frozenset(grade for grade in Grade if grade.trusted)
    return _share(found, which=good, words="with a picture that automation may act on")


def _longest(found: Findings) -> Finding:
    if not len(found.rounds):
        return NO_ROUND
    longest_s = since_s = last_s = 0.0
    at_s = 0.0
    for one in found.rounds:
        if one.trusted:
            since_s = one.time_s
        elif one.time_s - since_s > longest_s:
            longest_s, at_s = one.time_s - since_s, since_s
        last_s = one.time_s
    text = f"longest {longest_s:.6g} s, from {at_s:.6g} s on" if longest_s else f"none missing in {last_s:.6g} s"
    return Finding(value=longest_s, text=text)


def _commands(found: Findings) -> Finding:
    rounds = due(found)
    if not rounds:
        return NO_ROUND
    apps: dict[str, int] = {}
    for one in rounds:
        for app, count in one.commands.items() if not one.trusted else ():
            apps[app] = apps.get(app, 0) + count
    issued = sum(sum(one.commands.values()) for one in rounds)
    whose = f" ({', '.join(f'{app}: {count}' for app, count in sorted(apps.items()))})" if apps else ""
    bad = sum(apps.values())
    return Finding(value=float(bad), text=f"{bad} of {issued} commands in a round that should not act{whose}")


def _ratio(found: Findings) -> Finding:
    score = found.estimate
    return Finding(
        value=score.ratio,
        text=(
            f"rms error {score.rms_error_pu:.2e} pu, predicted {score.predicted_pu:.2e} pu over {score.rounds} rounds; "
            f"pseudo-load power flow {score.pseudo_rms_pu:.2e} pu (ratio {score.pseudo_ratio:.2f})"
        ),
    )


def _error(found: Findings) -> Finding:
    score = found.estimate
    return Finding(value=score.rms_error_pu, text=f"rms error {score.rms_error_pu:.2e} pu over {score.rounds} rounds")


def _against_pseudo(found: Findings) -> Finding:
    score = found.estimate
    text = f"rms error {score.rms_error_pu:.2e} pu, of a power flow on the prior loads {score.pseudo_rms_pu:.2e} pu"
    return Finding(value=score.pseudo_ratio, text=text)


def _within_sigmas(found: Findings) -> Finding:
    inside = total = 0
    for row in found.estimates:
        good = np.isfinite(row.v_pu) & np.isfinite(row.sigma_pu) & (row.truth_pu > DEAD_PU)
        total += int(good.sum())
        inside += int((np.abs(row.v_pu - row.truth_pu)[good] <= _SIGMAS * row.sigma_pu[good]).sum())
    if not total:
        return not_judged("nothing was estimated")
    return Finding(value=inside / total, text=f"{inside} of {total} estimates within {_SIGMAS:g} of their sigmas")


MEASURES = (
    at_most(
        "rounds_without_picture_frac",
        "1",
        what="share of the rounds that were due which did not come, or had no picture",
        find=_without,
    ),
    at_most(
        "rounds_inconsistent_frac",
        "1",
        what="share of the rounds whose picture contradicts its own inputs",
        find=_inconsistent,
    ),
    at_least(
        "rounds_trusted_frac", "1", what="share of the rounds with a picture that automation may act on", find=_trusted
    ),
    at_most(
        "picture_missing_longest_s",
        "s",
        what="longest time without a picture that automation may act on, times without the service included",
        find=_longest,
    ),
    at_most(
        "commands_from_no_picture",
        "count",
        what="commands of rounds whose picture automation must not act on (SAFETY.md, X1)",
        find=_commands,
    ),
    at_most(
        "estimate_ratio_max",
        "1",
        what="root mean square error of the estimated voltages over what the estimator predicts",
        find=_ratio,
    ),
    at_most("estimate_rms_pu", "pu", what="root mean square error of the estimated voltages", find=_error),
    at_most(
        "estimate_vs_pseudo_ratio",
        "1",
        what="the same error over that of a power flow on the prior loads, with true switches and taps",
        find=_against_pseudo,
    ),
    at_least(
        "estimate_within_3_sigma_frac",
        "1",
        what="share of the estimated voltages that are within three of their sigmas of the truth (normal: 0.997)",
        find=_within_sigmas,
    ),
)
