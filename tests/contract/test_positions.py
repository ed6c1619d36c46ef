"""Verdicts on positions reach the client as the service has them."""

from dataclasses import replace

from adms.adapters.grpc_api.insight_proto import estimate_to_proto
from adms.client.desk_proto import estimate_from_proto
from adms.core.ids import ElementId
from adms.core.positions import PositionVerdict, Standing, Witness
from adms.core.telemetry import PointKey, PointKind
from adms.wire.insight.v1 import insight_pb2
from tests.estimation_study.plans import Extent
from tests.estimation_study.studies import study


def verdict(standing: Standing, *, witnesses: tuple[Witness, ...] = ()) -> PositionVerdict:
    return PositionVerdict(
        device="line.671692",
        poles=(ElementId("line.671692"),),
        is_tap=False,
        standing=standing,
        instead=("line.671692 open",),
        log_odds=12.5,
        why="as it is",
        witnesses=witnesses,
    )


def test_every_standing_reaches_the_client_with_odds_reasons_and_readings() -> None:
    one = study("13", extent=Extent(flows=4))
    _, picture = one.scan(one.drawn(seed=63, count=1)[1][:, 0], state=None)
    seen = Witness(
        key=PointKey(kind=PointKind.V_MAGNITUDE, element="675", phase=1), reported_sigmas=-9.0, instead_sigmas=0.5
    )
    sent = replace(picture, positions=tuple(verdict(standing, witnesses=(seen,)) for standing in Standing))
    message = insight_pb2.Estimate.FromString(estimate_to_proto(sent, arrays=one.arrays).SerializeToString())
    got = estimate_from_proto(message)
    assert [each.standing for each in got.positions] == list(Standing)
    for each in got.positions:
        assert (each.device_id, each.instead) == ("line.671692", ("line.671692 open",))
        assert (each.log_odds, each.why) == (12.5, "as it is")
        assert [w.point for w in each.witnesses] == ["v_magnitude_v 675 phase 1"]
        assert (each.witnesses[0].reported_sigmas, each.witnesses[0].instead_sigmas) == (-9.0, 0.5)


def test_a_service_that_tests_no_positions_says_nothing_of_them() -> None:
    one = study("13", extent=Extent(flows=4))
    _, picture = one.scan(one.drawn(seed=63, count=1)[1][:, 0], state=None)
    assert estimate_from_proto(estimate_to_proto(picture, arrays=one.arrays)).positions == ()
