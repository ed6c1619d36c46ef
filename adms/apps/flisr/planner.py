"""From an outage to a plan: the best option that the guards and the power flow accept, with what was rejected."""

from hashlib import sha256

import numpy as np

from adms.apps.flisr.accept import Accepted, Judge
from adms.apps.flisr.firm import Candidate, candidate_of, firmest
from adms.apps.flisr.loads import expected_state
from adms.apps.flisr.options import NOTHING, Option, search
from adms.apps.flisr.outage import Outage, read_outage
from adms.apps.flisr.policy import FlisrPolicy
from adms.apps.flisr.reserve import Reserve
from adms.apps.flisr.state import FlisrState
from adms.apps.interlock.wiring import Wiring, wiring_of
from adms.apps.interlock.zone import SuspectedZone
from adms.apps.view import RoundView
from adms.core.commands import App
from adms.core.ids import PlanId
from adms.core.plans import NoPlan, Plan, RejectedAlternative


def make_plan(view: RoundView, *, zone: SuspectedZone, state: FlisrState, policy: FlisrPolicy) -> Plan | NoPlan:
    """The plan for an outage whose lockout is known.

    Options are tried best first (critical customers, load, customers, fewest operations); the first that all guards
    permit at every step, and that the power flow accepts after every close (emergency limits, cold-load pickup) and
    in the end (normal limits), is the plan, unless one that restores the same is firm and it is not (see `firm`). The
    search is limited in options and power flows, never in time.

    Args:
        view: the round.
        zone: its suspected zone.
        state: pre-fault loads, the outage's start, and devices that failed.
        policy: limits.
    """
    wiring = wiring_of(view.arrays)
    outage = read_outage(view, zone=zone, policy=policy, excluded=state.excluded)
    if not outage.healthy:
        return NoPlan(app=App.FLISR, reason=_nothing_left(zone, outage))
    expected = expected_state(view, state=state, policy=policy)
    if expected is None:
        return NoPlan(app=App.FLISR, reason="there is no estimate that says what the live parts carry")
    plan_id = _plan_id(view, zone)
    judge = Judge(
        view=view,
        wiring=wiring,
        outage=outage,
        expected=expected,
        policy=policy,
        plan_id=plan_id,
    )
    chosen, rejected, truncated = _best(wiring, judge=judge, zone=zone)
    unusable = tuple(
        RejectedAlternative(summary=f"use {device}", reason=reason)
        for device, reason in sorted(outage.unusable.items())
    )
    if chosen is None:
        reasons = [alternative.reason for alternative in (*rejected[:1], *unusable)] or ["no switch leads to a source"]
        return NoPlan(app=App.FLISR, reason=f"nothing can be restored: {'; '.join(reasons)}")
    chosen, passed_over = firmest(wiring, judge=judge, locked_out=zone.locked_out, first=chosen)
    option, verdict, steps = chosen.option, chosen.verdict, chosen.steps
    less_firm = tuple(
        _passed_over(shorter, reserve=reserve, policy=policy)
        for shorter, reserve in passed_over[: policy.rejected_listed_max]
    )
    left = outage.healthy - option.restored
    return Plan(
        plan_id=plan_id,
        app=App.FLISR,
        created=view.now,
        snapshot_id=view.snapshot.snapshot_id,
        model_version=view.arrays.version,
        title=f"Isolate {', '.join(sorted(zone.sections))} and restore {len(option.restored)} sections",
        reason="; ".join([*zone.reasons, *_cure(verdict)]),
        steps=steps,
        predicted=(
            *_totals(wiring, "restored", option.restored),
            *_totals(wiring, "unrestored", left),
            *_totals(wiring, "isolated", zone.sections),
            ("lowest_voltage_pu", verdict.v_min_pu),
            ("load_reserve_frac", policy.load_reserve_frac),
            ("reserve_margin_pu", verdict.reserve.margin_pu),
            ("cold_load_factor", expected.cold_load_factor),
            ("power_flows", float(judge.power_flows)),
            ("search_truncated", float(truncated)),
            ("voltvar_moves", float(len(verdict.cure))),
        ),
        rejected=(*rejected, *less_firm, *unusable),
        binding_limit=_binding(left=bool(left), rejected=rejected, unusable=unusable),
    )


def _best(
    wiring: Wiring, *, judge: Judge, zone: SuspectedZone
) -> tuple[Candidate | None, list[RejectedAlternative], bool]:
    """The best option that is accepted, those rejected before it, and whether the search left any out.

    More extra openings never restore more than the best option without a limit to meet, so the search deepens only
    while something is left to gain.
    """
    policy = judge.policy
    chosen: Candidate | None = None
    rejected: dict[str, RejectedAlternative] = {}
    truncated, best_possible = False, NOTHING.key[:3]
    for depth in range(policy.extra_opens_max + 1):
        options = search(
            wiring,
            outage=judge.outage,
            locked_out=zone.locked_out,
            extra_opens_max=depth,
            options_max=policy.options_max,
            better_than=None if chosen is None else chosen.option.key,
        )
        truncated |= options.truncated
        if depth == 0:
            # Without openings every part that a tie reaches can be restored, if no limit forbids it.
            best_possible = next(options.best_first()).key[:3]
        for tried, option in enumerate(options.best_first()):
            if option.key >= (NOTHING.key if chosen is None else chosen.option.key):
                break
            if tried >= policy.options_max:
                truncated = True
                break
            candidate = candidate_of(judge, option)
            if isinstance(candidate, Candidate):
                chosen = candidate
                break
            if len(rejected) < policy.rejected_listed_max:
                summary = _summary(option)
                rejected.setdefault(summary, RejectedAlternative(summary=summary, reason=candidate.reason))
        if chosen is not None and chosen.option.key[:3] == best_possible:
            break
    return chosen, list(rejected.values()), truncated


def _cure(verdict: Accepted) -> list[str]:
    if not verdict.cure:
        return []
    moves = ", ".join(f"{device} to {position:+d}" for device, position in verdict.cure)
    return [f"inside the normal voltage limits once Volt/VAR has moved {moves}, for instance"]


def _passed_over(option: Option, *, reserve: Reserve, policy: FlisrPolicy) -> RejectedAlternative:
    more = f"with {policy.load_reserve_frac:.0%} more load in what it restores, {reserve.place}"
    reason = f"less firm: {more} (margin {reserve.margin_pu:+.4f} pu)"
    return RejectedAlternative(summary=_summary(option), reason=reason)


def _plan_id(view: RoundView, zone: SuspectedZone) -> PlanId:
    text = "|".join([view.grid.topology_version, *sorted(zone.sections), view.snapshot.snapshot_id])
    return PlanId(f"flisr-{view.now:%Y%m%dT%H%M%S}-{sha256(text.encode()).hexdigest()[:8]}")


def _summary(option: Option) -> str:
    closes = ", ".join(device for feed in option.feeds for device in feed.closes)
    opens = f"open {', '.join(option.opens)}, then " if option.opens else ""
    return f"{opens}close {closes}: restores {-option.key[1] / 1e3:.0f} kW"


def _totals(wiring: Wiring, name: str, sections: frozenset[str]) -> tuple[tuple[str, float], ...]:
    found = [section for section in wiring.sections if section in sections]
    return (
        (f"{name}_customers", float(sum(wiring.customers[s] for s in found))),
        (f"{name}_critical_customers", float(sum(wiring.critical_customers[s] for s in found))),
        (f"{name}_load_w", float(np.sum([wiring.load_w[s] for s in found]))),
    )


def _binding(*, left: bool, rejected: list[RejectedAlternative], unusable: tuple[RejectedAlternative, ...]) -> str:
    if not left:
        return ""
    if rejected:
        return rejected[0].reason
    return f"{unusable[0].summary}: {unusable[0].reason}" if unusable else "no switch leads to a source"


def _nothing_left(zone: SuspectedZone, outage: Outage) -> str:
    kept = outage.blocked - zone.sections
    if not kept:
        return f"all that is dead is suspected: {', '.join(sorted(zone.sections))}"
    why = "; ".join(f"{device}: {reason}" for device, reason in sorted(outage.unusable.items()))
    return f"no usable switch separates {', '.join(sorted(kept))} from what must stay dead ({why or 'tags'})"
