"""Guards that honour operators' tags."""

from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.interlock.switching import picked_up
from adms.apps.interlock.wiring import Wiring, wiring_of
from adms.apps.view import RoundView, Tag, TagKind
from adms.core.commands import App, Proposal, SwitchSetpoint
from adms.core.ids import ElementId, SectionId

_NO_ENERGISING = (TagKind.HOLD, TagKind.CLEARANCE)


def _named(tag: Tag) -> str:
    return f"{tag.kind} tag {tag.tag_id} of {tag.holder} on {tag.device}"


def tagged_sections(view: RoundView) -> dict[SectionId, Tag]:
    """Sections that may not be energised because a hold or clearance tag is on a switch that bounds them (SW3)."""
    wiring = wiring_of(view.arrays)
    return {
        section: tag
        for tag in view.tags
        if tag.kind in _NO_ENERGISING and tag.device in wiring.ends
        for section in wiring.ends[tag.device]
    }


def tag_on(view: RoundView, device: ElementId) -> str | None:
    """SW3: what forbids to operate a device by itself: a hold or clearance tag on it."""
    for tag in view.tags:
        if tag.device == device and tag.kind in _NO_ENERGISING:
            return f"{_named(tag)} forbids it"
    return None


def free_of_tags(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW3: nothing under a hold or clearance tag is operated, and no section that a tagged switch bounds is
    energised."""
    reason = tag_on(view, proposal.device)
    if reason is not None or not (isinstance(proposal.setpoint, SwitchSetpoint) and proposal.setpoint.closed):
        return reason
    tagged = tagged_sections(view)
    for section in sorted(picked_up(view, proposal, policy=policy)):
        if section in tagged:
            return f"would energise {section}, which {_named(tagged[section])} bounds"
    return None


def _feeder(view: RoundView, wiring: Wiring, device: ElementId) -> frozenset[SectionId]:
    """Sections on the same feeder as a device, as it is run normally and as it stands now."""
    normal = {switch for switch, gear in wiring.gear.items() if gear.normally_closed}
    now = {switch for switch in wiring.ends if view.grid.closed[switch]}
    if device in wiring.ends:
        start: tuple[SectionId, ...] = wiring.ends[device]
    else:
        branch = view.arrays.model.branches[view.arrays.branch_idx[device]]
        start = (wiring.section_of_bus[branch.terminals[0][0].bus],)
    return wiring.reach(start, closed=normal) | wiring.reach(start, closed=now)


def no_live_line_work(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW5: on a feeder with a hot-line tag FLISR is off and nothing dead is energised again."""
    wiring = wiring_of(view.arrays)
    closes = isinstance(proposal.setpoint, SwitchSetpoint) and proposal.setpoint.closed
    if proposal.app is not App.FLISR and not closes:
        return None
    for tag in view.tags:
        known = tag.device in wiring.ends or tag.device in view.arrays.branch_idx
        if tag.kind is not TagKind.HOT_LINE:
            continue
        if not known or any(side in _feeder(view, wiring, tag.device) for side in wiring.ends[proposal.device]):
            return f"{_named(tag)}: no reclosing and no FLISR on that feeder"
    return None
