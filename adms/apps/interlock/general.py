"""Guards on the picture that a command rests on."""

from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.view import RoundView
from adms.core.commands import Proposal
from adms.core.estimate import Estimate


def picture_problem(view: RoundView, *, policy: InterlockPolicy) -> str | None:
    """X1: why no command may rest on the picture of a round: a snapshot that is too old or of another model; no
    estimate, a failed one, one that its own inputs contradict, or one of another snapshot, time or model. Restoring
    needs it too: without an estimate nobody knows what the live parts carry already, and meters that contradict the
    switches may mean that what seems dead is not."""
    if view.snapshot.model_version != view.arrays.version:
        return f"the snapshot is of model {view.snapshot.model_version}, not {view.arrays.version}"
    age_s = (view.now - view.snapshot.cut_time).total_seconds()
    if not 0.0 <= age_s <= policy.snapshot_max_age_s:
        return f"the snapshot is {age_s:.1f} s old"
    if not isinstance(view.estimate, Estimate):
        return f"there is no estimate: {view.estimate.reason}"
    if view.estimate.model_version != view.arrays.version:
        return f"the estimate is of model {view.estimate.model_version}"
    if not view.estimate.grade.trusted:
        return f"the estimate is {view.estimate.grade.name}: {view.estimate.reason}"
    if view.estimate.snapshot_id != view.snapshot.snapshot_id:
        return f"the estimate is of snapshot {view.estimate.snapshot_id}"
    age_s = (view.now - view.estimate.time).total_seconds()
    if not 0.0 <= age_s <= policy.estimate_max_age_s:
        return f"the estimate is {age_s:.1f} s old"
    return None


def picture_is_good(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """X1, whoever asks and whatever for."""
    return picture_problem(view, policy=policy)
