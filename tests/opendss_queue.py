"""What OpenDSS' RegControl does with its queue where it differs from gear.

With `controlmode=time` a RegControl that wants several taps puts the next one into the control queue without keeping
hold of it. Back in band it deletes the entry that it does hold, which has passed long ago, and calls itself disarmed;
the other one stays. When that comes up and the voltage has meanwhile left the band again, on either side, it moves at
once, without its delay. Gear starts its delay again whenever it has seen itself in band; so does the bench's plant."""

from __future__ import annotations

from dataclasses import dataclass, field

from hil.plant.local import LOOK_S, LocalRegulator


@dataclass(kw_only=True)
class QueueingRegulator(LocalRegulator):
    """A regulator with OpenDSS' queue, leftovers included."""

    armed: bool = False
    queue: list[float] = field(default_factory=list)
    held: float | None = None

    def step(self, dt_s: float, *, v_phasor_v: complex, i_into_a: complex) -> int:
        """Taps to move now, signed."""
        self._clock_s += dt_s
        pending = self.wanted(v_phasor_v=v_phasor_v, i_into_a=i_into_a)
        if pending and not self.armed:
            self.held = self._clock_s + self.delay_s
            self.queue.append(self.held)
            self.armed = True
        elif not pending and self.armed:
            if self.held in self.queue:
                self.queue.remove(self.held)
            self.armed = False
        moved = 0
        for due in sorted(due for due in self.queue if due <= self._clock_s + LOOK_S):
            self.queue.remove(due)
            if pending:
                one = 1 if pending > 0 else -1
                moved, pending = moved + one, pending - one
            if pending:
                self.queue.append(self._clock_s + self.control.tap_delay_s)
            else:
                self.armed = False
        return moved
