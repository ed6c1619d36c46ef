"""How long and how closely measures look: the optional table `[judging]` of a scenario.

```toml
[judging]
bad_data_settle_s = 60.0
```
"""

from __future__ import annotations

from dataclasses import dataclass

from adms.client import Problem
from hil.plant.reading import Table, raise_problems


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Times in feeder seconds."""

    bad_data_settle_s: float = 30.0
    """A lie is to be named so long after it began, and may still be blamed so long after it ended."""
    der_settle_s: float = 30.0
    """A DER may be on its way to a target so long (IEEE Std 1547-2018, 4.6.2: 30 s to a limit of active power)."""
    der_tolerance_frac: float = 0.05
    """And off by so much of its rated apparent power (IEEE Std 1547-2018, table 3: 5 % in steady state)."""


def read_terms(content: object) -> Terms:
    """Read `[judging]`. Raises InputError with every problem."""
    problems: list[Problem] = []
    table = Table(content, name="judging", problems=problems)
    usual = Terms()
    terms = Terms(
        bad_data_settle_s=table.number("bad_data_settle_s", low=0.0, default=usual.bad_data_settle_s),
        der_settle_s=table.number("der_settle_s", low=0.0, default=usual.der_settle_s),
        der_tolerance_frac=table.number("der_tolerance_frac", low=0.0, high=1.0, default=usual.der_tolerance_frac),
    )
    table.end()
    raise_problems(problems)
    return terms
