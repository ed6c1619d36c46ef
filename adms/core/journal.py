"""One record of the append-only, hash-chained journal."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EntryKind(StrEnum):
    """What an entry records."""

    START = "start"
    CUT = "cut"
    """A snapshot was cut: the frames it used are acknowledged from here on."""
    PLAN = "plan"
    PLAN_STATUS = "plan_status"
    COMMAND = "command"
    REFUSED = "refused"
    OUTCOME = "outcome"
    MODE = "mode"
    OPERATOR = "operator"
    """An operator's act: tag, approval, limit, emergency stop."""
    DEVICE = "device"
    """Registration or loss of a controller's devices."""


GENESIS_HASH = "0" * 64


@dataclass(frozen=True, kw_only=True)
class JournalEntry:
    """What happened, when, by whom. `body` is canonical JSON (sorted keys, no spaces)."""

    index: int
    time: datetime
    kind: EntryKind
    actor: str
    """Who: an app, an operator, a controller, the service."""
    body: str
    previous_hash: str
    entry_hash: str


def entry_hash(*, index: int, time: datetime, kind: EntryKind, actor: str, body: str, previous_hash: str) -> str:
    """SHA-256 over the previous hash and every field, separated so that no two entries encode alike."""
    fields = (previous_hash, str(index), time.isoformat(), kind.value, actor, body)
    encoded = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in fields)
    return hashlib.sha256(encoded).hexdigest()
