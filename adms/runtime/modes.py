"""What the service may do now. The effective mode is the operator's, held down to OBSERVE while anything is wrong.

Promotion: the operator asks for a mode; it takes effect after N good rounds in a row since start or since the last bad
one (X6). A picture is good that automation may act on: `Grade.trusted`, so not one that its own inputs contradict.
Demotion: two bad pictures in a row, or one failed round. A failed round (a bug, or a journal that cannot
record) also withdraws the operator's request: a person looks before anything moves again. Bad pictures do not: the mode
returns by itself after N good rounds. An emergency stop holds until an operator sets a mode again.
"""

from dataclasses import dataclass

from adms.core.estimate import Grade
from adms.core.modes import Mode

BAD_ROUNDS_TO_DEMOTE = 2


@dataclass(frozen=True, kw_only=True)
class ModeChange:
    """The effective mode moved."""

    before: Mode
    after: Mode
    reason: str


class ModeKeeper:
    """Keeps the system's mode. Every method that can move it returns the change, or None."""

    def __init__(self, *, good_rounds_before_control: int) -> None:
        self._needed = good_rounds_before_control
        self._requested = Mode.OBSERVE
        self._good = 0
        self._bad = 0
        self._released = False
        self._stopped = False
        self._blocked = ""
        self._last = Mode.OBSERVE
        self._why = "start-up observes"

    @property
    def mode(self) -> Mode:
        """Effective mode of the system."""
        if self._stopped or self._blocked or not self._released:
            return Mode.OBSERVE
        return self._requested

    @property
    def stopped(self) -> bool:
        """True after an emergency stop, until an operator sets a mode."""
        return self._stopped

    @property
    def reason(self) -> str:
        """Why the mode is what it is."""
        if self._stopped:
            return "emergency stop"
        if self._blocked:
            return self._blocked
        if not self._released:
            return f"{self._why}; {self._good} of {self._needed} good rounds"
        return "as the operator set it"

    def request(self, mode: Mode) -> ModeChange | None:
        """An operator sets the mode; this also ends an emergency stop."""
        self._requested = mode
        if self._stopped:
            self._stopped = False
            self._start_over("after an emergency stop")
        return self._moved("set by an operator")

    def stop(self) -> ModeChange | None:
        """Emergency stop."""
        self._stopped = True
        self._requested = Mode.OBSERVE
        return self._moved("emergency stop")

    def round_graded(self, grade: Grade) -> ModeChange | None:
        """A round got its picture."""
        if not grade.trusted:
            self._bad += 1
            self._good = 0
            if self._bad >= BAD_ROUNDS_TO_DEMOTE:
                self._start_over("the picture is bad")
        else:
            self._bad = 0
            self._good = min(self._good + 1, self._needed)
            if self._good >= self._needed:
                self._released = True
        return self._moved(self.reason)

    def round_failed(self, reason: str) -> ModeChange | None:
        """A round was dropped."""
        self._requested = Mode.OBSERVE
        self._start_over(reason)
        return self._moved(reason)

    def block(self, reason: str) -> ModeChange | None:
        """Something outside the rounds forbids everything from here on."""
        self._blocked = reason
        self._start_over(reason)
        return self._moved(reason)

    def _start_over(self, why: str) -> None:
        self._released = False
        self._good = 0
        self._why = why

    def _moved(self, reason: str) -> ModeChange | None:
        before, after = self._last, self.mode
        if before is after:
            return None
        self._last = after
        return ModeChange(before=before, after=after, reason=reason)
