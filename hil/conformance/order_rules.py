"""Rules on who leads: epochs and sequences. What is older than what was seen is refused and has no effect."""

from __future__ import annotations

from adms.wire.control.v1 import control_pb2
from hil.conformance.rules import Rule, rule
from hil.conformance.stage import Stage

CONTROL = "control.proto"
DESIGN = "DESIGN, Commands (devices refuse a lower epoch than seen, and an equal one from another instance)"
OLDER = ("EXPIRED", "STALE_EPOCH")
"""There is no code of its own for an older command of the same epoch: it is over (EXPIRED), or not of this leader."""


async def _baseline(stage: Stage, *, new_epoch: bool) -> tuple[float, float, control_pb2.Command]:
    """The output at a level; that level, another one, and the command."""
    level_w, other_w = stage.levels()
    if new_epoch:
        stage.next_epoch()
    command = stage.command(p_w=level_w)
    await stage.obeys(command, level_w=level_w)
    return level_w, other_w, command


@rule(
    "EPO1",
    "A command of a lower epoch than seen is refused with STALE_EPOCH and not carried out",
    source=f"{CONTROL}, RegistrationResult.epoch; {DESIGN}; SAFETY fault P",
)
async def refuses_lower(stage: Stage) -> None:
    """The service before this one still talks."""
    level_w, other_w, command = await _baseline(stage, new_epoch=True)
    old = stage.command(p_w=other_w, epoch=command.epoch - 1)
    await stage.refuses(old, codes=["STALE_EPOCH"], level_w=level_w, why=f"epoch {command.epoch} was seen")


@rule(
    "EPO2",
    "A command of a higher epoch is carried out, whatever its sequence: a new leader counts anew",
    source=f"{CONTROL}, Command.epoch and sequence; {DESIGN}",
)
async def obeys_higher(stage: Stage) -> None:
    """Sequence 1 of the next epoch."""
    _, other_w, _ = await _baseline(stage, new_epoch=False)
    stage.next_epoch()
    await stage.obeys(stage.command(p_w=other_w, sequence=1), level_w=other_w)


@rule(
    "EPO3",
    "A command of an equal epoch from another instance of the service is refused and not carried out",
    source=f"{DESIGN}. The wire carries no instance: another one shows by a sequence used already",
)
async def refuses_equal(stage: Stage) -> None:
    """Same epoch, same sequence, another command."""
    level_w, other_w, command = await _baseline(stage, new_epoch=False)
    twin = stage.command(
        p_w=other_w, sequence=command.sequence, command_id=f"conformance-other-{command.epoch}-{command.sequence}"
    )
    why = f"sequence {command.sequence} of epoch {command.epoch} was another command"
    await stage.refuses(twin, codes=OLDER, level_w=level_w, why=why)


@rule(
    "EPO4",
    "The epoch of the RegistrationResult counts before the first command of it",
    source=f"{CONTROL}, RegistrationResult.epoch: refuse commands of a lower one",
)
async def heeds_registration(stage: Stage) -> None:
    """A new leader is known from the registration only."""
    level_w, other_w, command = await _baseline(stage, new_epoch=False)
    stage.next_epoch()
    stage.cut(refuse=False)
    await stage.registered()
    old = stage.command(p_w=other_w, epoch=command.epoch)
    why = f"the registration said epoch {stage.manner.epoch}"
    await stage.refuses(old, codes=["STALE_EPOCH"], level_w=level_w, why=why)


@rule(
    "EPO5",
    "A service that comes back with a lower epoch than seen is not obeyed",
    source=f"{CONTROL}, Device.seen_epoch; {DESIGN}; SAFETY fault P (0 stale commands executed)",
)
async def refuses_returned(stage: Stage) -> None:
    """The leader of before accepts the registration, and commands."""
    level_w, other_w, command = await _baseline(stage, new_epoch=True)
    stage.manner.epoch = command.epoch - 1
    try:
        stage.cut(refuse=False)
        await stage.registered()
        old = stage.command(p_w=other_w)
        await stage.refuses(old, codes=["STALE_EPOCH"], level_w=level_w, why=f"epoch {command.epoch} was seen")
    finally:
        stage.manner.epoch = command.epoch


@rule(
    "SEQ1",
    "A command of a lower sequence than the one in force is refused and not carried out",
    source=f"{CONTROL}, Command.sequence (adms.core.commands: grows by one for each command of the service)",
)
async def refuses_older(stage: Stage) -> None:
    """A command that was held up on its way."""
    level_w, other_w = stage.levels()
    held_up = stage.command(p_w=other_w)
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    await stage.refuses(held_up, codes=OLDER, level_w=level_w, why="a newer sequence is in force")


RULES: tuple[Rule, ...] = (
    refuses_lower,
    obeys_higher,
    refuses_equal,
    heeds_registration,
    refuses_returned,
    refuses_older,
)
