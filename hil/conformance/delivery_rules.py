"""Rules on what is sent twice, in either direction: commands without double effect, outcomes without loss."""

from __future__ import annotations

from hil.conformance.lease_rules import LONG_AGO_S, expiry_s, holds_then_falls_back, lead
from hil.conformance.rules import BrokenError, NotApplicableError, rule
from hil.conformance.seen import SeenMessage
from hil.conformance.stage import Stage

CONTROL = "control.proto"
RECONNECT_S = 2.0
"""A lease that is to outlast a reconnect is longer by this."""
AGAIN = "SAFETY S6 (0 double operations); AIP-155 (an id makes a repetition harmless)"


@rule(
    "RED1",
    "A command that comes twice on a stream is answered again, in the same way, and done once",
    source=AGAIN,
)
async def answers_again(stage: Stage) -> None:
    """The same message twice."""
    level_w, _ = stage.levels()
    command = stage.command(p_w=level_w)
    first = await stage.obeys(command, level_w=level_w)
    await stage.send(command)
    await stage.declines(command, codes=[first.code], why="a repetition is answered as the first was", count=2)
    await stage.stays(level_w, why="the command was repeated")


@rule(
    "RED2",
    "A command that comes again after a reconnect does not begin its lease anew",
    source=f"{AGAIN}; {CONTROL}, Command.expiry",
)
async def does_not_lease_again(stage: Stage) -> None:
    """The same message on the next stream: answered, and its lease ends when it said."""
    command, level_w = await lead(stage, lease_s=stage.timing.lease_s + RECONNECT_S, issued_ago_s=LONG_AGO_S)
    cut_s, end_s = stage.now_s(), expiry_s(command)
    stage.cut(refuse=False)
    sent_s = await stage.send(command)
    # A client that takes longer to come back than the lease lasts may say so.
    codes = ["SUCCESS"] if sent_s < end_s - stage.timing.skew_s else ["SUCCESS", "EXPIRED"]
    await stage.declines(command, codes=codes, why="a repetition is answered as the first was", count=2)
    await holds_then_falls_back(stage, end_s=end_s, level_w=level_w, since_s=cut_s)


@rule(
    "RED3",
    "A command that comes again after a newer one does not come back into force",
    source=f"{AGAIN}; {CONTROL}, Command.sequence",
)
async def stays_with_newer(stage: Stage) -> None:
    """First, second, first again."""
    first_w, second_w = stage.levels()
    first = stage.command(p_w=first_w)
    await stage.obeys(first, level_w=first_w)
    await stage.obeys(stage.command(p_w=second_w), level_w=second_w)
    stage.cut(refuse=False)
    await stage.send(first)
    await stage.stays(second_w, why="the newer command is in force")


@rule(
    "OUT1",
    "Outcomes are numbered by the client's own sequence: from 1, without gaps, per instance",
    source=f"{CONTROL}, Outcomes.sequence",
)
async def numbers_outcomes(stage: Stage) -> None:
    """Three more outcomes, then everything up to now."""
    for _ in range(3):
        await stage.send(command := stage.harmless())
        await stage.answer(command)
    instance = _instance(stage)
    mine = [message for message in stage.seen.messages if message.instance_id == instance]
    expected: int | None = None
    for message in mine:
        if expected is None and (stage.client is not None or message.sequence == 0) and message.sequence != 1:
            raise BrokenError(expected="sequence 1 first", seen=f"sequence {message.sequence}")
        if expected is not None and message.sequence > expected:
            raise BrokenError(expected=f"sequence {expected} next", seen=f"sequence {message.sequence}")
        if expected is not None and message.sequence < expected and _first_of_stream(mine, message) is False:
            raise BrokenError(expected=f"sequence {expected} next on its stream", seen=f"sequence {message.sequence}")
        expected = message.sequence + 1


@rule(
    "OUT2",
    "Outcomes that were not acknowledged come again after a reconnect, from the first of them on",
    source=f"{CONTROL}, Outcomes.sequence; SAFETY S6 (0 lost acknowledged steps)",
)
async def repeats_unacknowledged(stage: Stage) -> None:
    """Two outcomes without an acknowledgement, then a new stream."""
    stage.manner.acknowledge_outcomes = False
    wanted: list[int] = []
    for _ in range(2):
        await stage.send(command := stage.harmless())
        wanted.append((await stage.answer(command)).sequence)
    stage.cut(refuse=False)
    stream = await stage.registered()
    found = await stage.until(
        lambda: _of_stream(stage, stream.index)[: len(wanted)] if len(_of_stream(stage, stream.index)) >= 2 else None,
        within_s=stage.timing.answer_s,
    )
    seen = [message.sequence for message in found or _of_stream(stage, stream.index)]
    if seen != wanted:
        raise BrokenError(expected=f"sequences {_listed(wanted)} first on the new stream", seen=_listed(seen) or "none")


@rule(
    "OUT3",
    "Outcomes that were acknowledged do not come again",
    source=f"{CONTROL}, Outcomes.sequence and OutcomesAcknowledgement",
)
async def forgets_acknowledged(stage: Stage) -> None:
    """An acknowledged outcome, a new stream, and the next outcome."""
    await stage.send(command := stage.harmless())
    before = await stage.answer(command)
    # The acknowledgement is on its way when the outcome is seen; the next answer comes after it.
    await stage.send(command := stage.harmless())
    before = await stage.answer(command)
    await stage.until(lambda: None, within_s=min(stage.timing.early_s, 0.2))
    stage.cut(refuse=False)
    await stage.send(command := stage.harmless())
    await stage.answer(command)
    stream = await stage.registered()
    repeated = [m.sequence for m in _of_stream(stage, stream.index) if m.sequence <= before.sequence]
    if repeated:
        raise BrokenError(expected=f"sequences above {before.sequence}, acknowledged", seen=_listed(repeated))


@rule(
    "OUT4",
    "A client that is started again numbers its outcomes from 1",
    source=f"{CONTROL}, Outcomes.sequence (per instance_id)",
    quick=False,
)
async def numbers_from_one(stage: Stage) -> None:
    """After a restart of the process."""
    if stage.client is None:
        raise NotApplicableError("the kit does not start this client (--client-command)")
    await stage.client.stop()
    await stage.until(lambda: None if stage.service.control.lines else True, within_s=stage.timing.reconnect_s)
    await stage.client.start(stage.service.endpoint)
    await stage.registered(within_s=stage.timing.begin_s)
    await stage.send(command := stage.harmless())
    sequence = (await stage.answer(command)).sequence
    if sequence != 1:
        raise BrokenError(expected="sequence 1", seen=f"sequence {sequence}")


def _instance(stage: Stage) -> str:
    for stream in reversed(stage.seen.streams):
        if stream.registration is not None and stream.registration.controller_id == stage.device.controller_id:
            return stream.registration.instance_id
    return ""


def _of_stream(stage: Stage, index: int) -> list[SeenMessage]:
    return [message for message in stage.seen.messages if message.stream == index]


def _first_of_stream(messages: list[SeenMessage], message: SeenMessage) -> bool:
    return next(each for each in messages if each.stream == message.stream) is message


def _listed(sequences: list[int]) -> str:
    return ", ".join(map(str, sequences))


RULES = (
    answers_again,
    does_not_lease_again,
    stays_with_newer,
    numbers_outcomes,
    repeats_unacknowledged,
    forgets_acknowledged,
    numbers_from_one,
)
