import numpy as np
import pytest

from hil.against_idle import in_words, measures
from hil.fleet_rows import cost_lines, fleet_rows
from hil.judging import Terms
from hil.plant.events import PlantEvent
from hil.prices import Prices
from hil.record import DerScan
from hil.results_rows import ImportLimit
from tests.unit.hil.bench_case import bench
from tests.unit.hil.report.results_case import LIMITS, trace


def test_energy_curtailment_and_obedience_of_a_unit() -> None:
    pv = next(entry for entry in bench().overlay.ders if entry.kind == "pv")
    made = trace()
    made.ders = (pv,)
    for k in range(10):
        leased = k >= 5
        made.der.append(
            DerScan(
                p_w=np.array([600.0 if leased else 1000.0]),
                q_var=np.array([0.0]),
                leased=np.array([leased]),
                p_lease_w=np.array([600.0 if leased else np.nan]),
                q_lease_var=np.array([np.nan]),
                p_low_w=np.array([0.0]),
                p_high_w=np.array([1000.0]),
                away=np.array([k in {2, 3}]),
            )
        )
    made.events.append(PlantEvent(time_s=12.0, element=pv.id, what="der_trip", text="", by="local"))
    (row,) = fleet_rows(made, terms=Terms())
    # By hand: ten scans of 4 s, 5 of 1000 W and 5 of 600 W, where 400 W were held back.
    assert row.energy_wh == pytest.approx((5 * 1000 + 5 * 600) * 4 / 3600, rel=1e-6)
    assert row.curtailed_wh == pytest.approx(5 * 400 * 4 / 3600, rel=1e-6)
    assert (row.leased_frac, row.obeying_frac, row.trips) == (0.5, 1.0, 1)


def test_energy_costs_what_its_hour_costs() -> None:
    made = trace()
    made.import_w = [3.6e6] * 5 + [-3.6e6] * 5
    prices = Prices(currency="EUR", import_per_kwh=((0.0, 0.1), (8.0, 0.2)), export_per_kwh=((0.0, 0.05),))
    bought, sold = cost_lines(made, idle=None, prices=prices)
    # By hand: 4 kWh a scan; two scans begin below 0.1 EUR, three at 0.2 EUR; 20 kWh are sold at 0.05 EUR.
    assert [bought.quantity, bought.amount] == pytest.approx([20.0, 8 * 0.1 + 12 * 0.2])
    assert [sold.quantity, sold.amount] == pytest.approx([20.0, -1.0])
    assert np.isnan(bought.idle_amount)


def test_import_above_a_limit_counts_under_it_only_and_the_lowest_limit_counts() -> None:
    made = trace()
    made.import_w = [2000.0] * 10
    limits = (ImportLimit(from_s=8.0, to_s=16.0, max_w=1000.0), ImportLimit(from_s=12.0, to_s=20.0, max_w=500.0))
    rows = {row.key: row for row in measures(made, idle=None, limits=LIMITS, import_limits=limits)}
    # By hand: scans at 12 s (limit 1000 W), 16 s and 20 s (500 W), 4 s each.
    assert rows["import_over_limit"].value == pytest.approx((1000 + 1500 + 1500) * 4 / 3.6e6)
    assert np.isnan(rows["import_over_limit"].idle)


def test_a_figure_in_words_has_no_minus_zero() -> None:
    assert in_words(-0.001, unit="EUR", digits=2) == "0.00 EUR"
    assert in_words(float("nan"), unit="EUR", digits=2) == "–"
    assert in_words(1234.5, unit="", digits=1) == "1,234.5"
