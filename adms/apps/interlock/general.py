"""Guards on the picture that a command rests on."""

from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.view import RoundView
from adms.core.commands import App, Proposal
from adms.core.estimate import Estimate, Grade

_NEEDS_ESTIMATE = (App.VOLTVAR, App.DISPATCH)


def picture_is_good(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """X1: nothing from a snapshot that is too old or of another model; where the app decides on the estimate, nothing
    without one, from a failed one, or from one of another time or model.

    FLISR decides on positions and protection levels: an outage may well leave no estimate.
    """
    if view.snapshot.model_version != view.arrays.version:
        return f"the snapshot is of model {view.snapshot.model_version}, not {view.arrays.version}"
    age_s = (view.now - view.snapshot.cut_time).total_seconds()
    if not 0.0 <= age_s <= policy.snapshot_max_age_s:
        return f"the snapshot is {age_s:.1f} s old"
    if proposal.app not in _NEEDS_ESTIMATE:
        return None
    if not isinstance(view.estimate, Estimate):
        return f"there is no estimate: {view.estimate.reason}"
    if view.estimate.model_version != view.arrays.version:
        return f"the estimate is of model {view.estimate.model_version}"
    if view.estimate.grade is Grade.FAILED:
        return f"the estimate failed: {view.estimate.reason}"
    age_s = (view.now - view.estimate.time).total_seconds()
    if not 0.0 <= age_s <= policy.estimate_max_age_s:
        return f"the estimate is {age_s:.1f} s old"
    return None
