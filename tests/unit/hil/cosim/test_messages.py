import pytest

from adms.client import Quality
from hil.cosim.library import CosimError
from hil.cosim.membership import Membership
from hil.cosim.messages import Arrival, MessagePath
from hil.cosim.plan import CosimPlan
from hil.cosim.stub_communication import DelayFederate
from hil.sensors.channel import Delivery, Frame
from tests.unit.hil.cosim.federation import beside, feeder_plan, peer_plan

SCAN_S = 4.0
OWNERS = ("der.pv_1", "gateway")


def message_plan(*, federates: int, **more: str) -> CosimPlan:
    messages = {"sources": ["*"], "commands": ["switch.*"], **more}
    return feeder_plan(federates=federates, subscribe=[], publish=[], messages=messages)


def delivery(number: int, *, at_s: float, copy: int = 0) -> Delivery:
    """As a channel hands it out: measured a second before, with a value that is missing and a flag."""
    frame = Frame(
        measure_time_s=at_s - 1.0,
        index=(0, 2),
        value=(1.0625 * number, -7.0),
        quality=(Quality.GOOD, Quality.SUSPECT),
    )
    return Delivery(arrive_s=at_s - 0.25, number=number, copy=copy, frame=frame)


def run(
    scans: int, *, delay_s: float | None = None, delayed: tuple[str, ...] = ("source/gateway",)
) -> tuple[list[dict[str, list[Delivery]]], list[list[Arrival]], MessagePath]:
    """Frames and commands of so many scans, and what arrived in each; with a delay there is a network in between."""
    plan = message_plan(federates=1 if delay_s is None else 2)
    membership = Membership(plan)
    assert plan.messages is not None
    path = MessagePath(plan.messages, membership=membership, owners=OWNERS, devices=["switch.ab", "tap.r1"])
    frames: list[dict[str, list[Delivery]]] = []
    commands: list[list[Arrival]] = []

    def feeder() -> None:
        membership.enter()
        for k in range(1, scans + 1):
            now_s = k * SCAN_S
            membership.grant(now_s)
            frames.append(path.carry_frames({owner: [delivery(k, at_s=now_s)] for owner in OWNERS}))
            commands.append(path.carry_commands([("switch.ab", {"position": k}), ("tap.r1", {"position": -k})]))
        membership.leave()

    try:
        if delay_s is None:
            feeder()
        else:
            peer = peer_plan(plan, name="network", broker=membership.broker)
            network = DelayFederate(peer, endpoints=delayed, delay_s=delay_s)
            with beside(lambda: network.run((scans + 1) * SCAN_S)) as raised:
                feeder()
            assert raised == []
    finally:
        membership.leave()
    return frames, commands, path


def test_without_a_network_every_frame_arrives_in_its_scan_as_it_was() -> None:
    frames, commands, path = run(3)
    for k, arrived in enumerate(frames, start=1):
        assert arrived == {owner: [delivery(k, at_s=k * SCAN_S)] for owner in OWNERS}
    assert [{one.device: one.message["position"] for one in found} for found in commands] == [
        {"switch.ab": k, "tap.r1": -k} for k in (1, 2, 3)
    ]
    # Two frames and one of the two commands a scan: no pattern matches tap.r1.
    assert (path.counts.sent, path.counts.arrived, path.counts.garbled) == (9, 9, 0)


@pytest.mark.parametrize("delay_s", [0.0, 0.5, 3.75, 6.25])
def test_a_network_delays_frames_by_exactly_its_delay(delay_s: float) -> None:
    """A frame that arrived at t - 0.25 s arrives at t - 0.25 s + d, in the first scan from its arrival on; the owner
    that the network does not carry goes straight through."""
    frames, _, _ = run(5, delay_s=delay_s)
    late_scans = -int(-delay_s // SCAN_S)
    for k, arrived in enumerate(frames, start=1):
        assert arrived["der.pv_1"] == [delivery(k, at_s=k * SCAN_S)]
        sent_in = k - late_scans
        numbers = [one.number for one in arrived["gateway"]]
        assert numbers == ([sent_in] if sent_in >= 1 else [])
        for one in arrived["gateway"]:
            sent = delivery(sent_in, at_s=sent_in * SCAN_S)
            assert one.arrive_s == sent.arrive_s + delay_s
            assert one.frame == sent.frame


def test_a_network_delays_commands_by_exactly_its_delay() -> None:
    """Commands are handed in a microsecond after the scan: the grant of the frames."""
    _, commands, _ = run(4, delay_s=5.0, delayed=("command/switch.ab",))
    arrived = [[(one.arrive_s, one.message["position"]) for one in c if one.device == "switch.ab"] for c in commands]
    assert arrived == [[], [], [(9.000001, 1)], [(13.000001, 2)]]


def test_two_runs_with_a_network_are_the_same_run() -> None:
    assert run(4, delay_s=2.5)[:2] == run(4, delay_s=2.5)[:2]


def test_messages_that_a_network_garbles_are_lost_and_counted() -> None:
    plan = message_plan(federates=1)
    membership = Membership(plan)
    assert plan.messages is not None
    path = MessagePath(plan.messages, membership=membership, owners=OWNERS, devices=["switch.ab"])
    h = membership.h
    other = h.helicsFederateRegisterGlobalEndpoint(membership.federate, "noise", "")
    membership.enter()
    membership.grant(4.0)
    for body in (b"\xff\x00", b"[1]", b"{}", b'{"frame": [1, [0], ["x"], []], "arrive_s": 1, "number": 1, "copy": 0}'):
        h.helicsEndpointSendBytesTo(other, body, "centre/gateway")
    h.helicsEndpointSendBytesTo(other, b'{"message": 3}', "device/switch.ab")
    assert path.carry_frames({}) == {"der.pv_1": [], "gateway": []}
    assert path.carry_commands([]) == []
    membership.leave()
    assert path.counts.garbled == 5


def test_a_network_that_leaves_or_never_came_ends_it() -> None:
    plan = message_plan(federates=2, network="network")
    membership = Membership(plan)
    assert plan.messages is not None
    path = MessagePath(plan.messages, membership=membership, owners=OWNERS, devices=[])
    peer = peer_plan(plan, name="network", broker=membership.broker)
    network = DelayFederate(peer, endpoints=["source/gateway"], delay_s=0.5)
    with beside(lambda: network.run(6.0)) as raised:
        membership.enter()
        membership.grant(4.0)
        path.carry_frames({"gateway": [delivery(1, at_s=4.0)]})
        membership.grant(8.0)
    assert raised == []
    with pytest.raises(CosimError, match=r"after 8 s: the network network is not in the federation"):
        path.carry_frames({"gateway": [delivery(2, at_s=8.0)]})
    membership.leave()
