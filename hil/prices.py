"""What energy over the interface costs: the optional table `[prices]` of a scenario.

```toml
[prices]
currency = "EUR"
import_per_kwh = [[0.0, 0.21], [61200.0, 0.38]]   # from that feeder second on
export_per_kwh = [[0.0, 0.08]]                    # what is paid for it; negative: what it costs
```
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from adms.client import Problem
from hil.plant.reading import Table, raise_problems

Series = tuple[tuple[float, float], ...]
"""(feeder second from which on, price per kWh)."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Prices by feeder second."""

    currency: str
    import_per_kwh: Series
    """Paid for what is imported."""
    export_per_kwh: Series
    """Received for what is exported."""


def price_at(series: Series, *, time_s: float) -> float:
    """The price that stands at a time: the last that began by then, the first before."""
    return series[max(bisect_right([start_s for start_s, _ in series], time_s) - 1, 0)][1]


def read_prices(content: object) -> Prices:
    """Read `[prices]`. Raises InputError with every problem."""
    problems: list[Problem] = []
    table = Table(content, name="prices", problems=problems)
    prices = Prices(
        currency=table.text("currency"),
        import_per_kwh=_series(table, "import_per_kwh"),
        export_per_kwh=_series(table, "export_per_kwh"),
    )
    table.end()
    raise_problems(problems)
    return prices


def _series(table: Table, key: str) -> Series:
    if key not in table:
        table.wrong(key, "", "is missing; a list of [feeder second from which on, price]")
        return ()
    series = table.course(key)
    if not series or series[0][0] != 0.0:
        table.wrong(key, list(series), "must begin with the price at feeder second 0")
    return series
