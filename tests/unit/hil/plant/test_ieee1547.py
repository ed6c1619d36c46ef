"""Every number here is read from IEEE Std 1547-2018, table and clause as named."""

from math import inf

import pytest

from hil.plant.ieee1547 import (
    VOLT_VAR,
    VOLT_VAR_RESPONSE_S,
    VOLT_WATT,
    VOLT_WATT_STORAGE,
    VOLTAGE_TRIPS,
    WATT_VAR,
    Droop,
    on_curve,
    region_of,
)

# Clause 6.4.2, Tables 14 to 16: voltage, operation, minimum ride-through time there.
ROWS = {
    "I": [
        (1.21, "cease_to_energize", 0.0),
        (1.20, "permissive", 0.2),
        (1.16, "permissive", 0.5),
        (1.12, "permissive", 1.0),
        (1.10, "continuous", inf),
        (0.88, "continuous", inf),
        (0.80, "mandatory", 1.1),  # 0.7 s + 4 s/pu (V - 0.7)
        (0.70, "mandatory", 0.7),
        (0.60, "permissive", 0.16),
        (0.49, "cease_to_energize", 0.0),
    ],
    "II": [
        (1.21, "cease_to_energize", 0.0),
        (1.18, "permissive", 0.2),
        (1.175, "permissive", 0.5),
        (1.15, "permissive", 1.0),
        (1.00, "continuous", inf),
        (0.85, "mandatory", 4.74),  # 3 s + 8.7 s/pu (V - 0.65)
        (0.65, "mandatory", 3.0),
        (0.50, "permissive", 0.32),
        (0.45, "permissive", 0.32),
        (0.40, "permissive", 0.16),
        (0.29, "cease_to_energize", 0.0),
    ],
    "III": [
        (1.21, "cease_to_energize", 0.0),
        (1.20, "momentary_cessation", 12.0),
        (1.11, "momentary_cessation", 12.0),
        (0.95, "continuous", inf),
        (0.87, "mandatory", 20.0),
        (0.70, "mandatory", 20.0),
        (0.60, "mandatory", 10.0),
        (0.50, "mandatory", 10.0),
        (0.49, "momentary_cessation", 1.0),
        (0.0, "momentary_cessation", 1.0),
    ],
}


@pytest.mark.parametrize(("category", "row"), [(c, row) for c, rows in ROWS.items() for row in rows])
def test_a_voltage_is_in_the_row_of_the_ride_through_table(category: str, row: tuple[float, str, float]) -> None:
    v_pu, operation, ride_s = row
    region = region_of(v_pu, category=category)
    assert region.operation == operation
    assert region.ride_through_s(v_pu) == pytest.approx(ride_s, abs=1e-9)


# Clause 6.4.1, Tables 11 to 13, default settings: threshold in pu, clearing time in s.
@pytest.mark.parametrize(
    ("category", "settings"),
    [
        ("I", {"OV2": (1.20, 0.16), "OV1": (1.10, 2.0), "UV1": (0.70, 2.0), "UV2": (0.45, 0.16)}),
        ("II", {"OV2": (1.20, 0.16), "OV1": (1.10, 2.0), "UV1": (0.70, 10.0), "UV2": (0.45, 0.16)}),
        ("III", {"OV2": (1.20, 0.16), "OV1": (1.10, 13.0), "UV1": (0.88, 21.0), "UV2": (0.50, 2.0)}),
    ],
)
def test_the_trip_settings_are_the_tables_defaults(category: str, settings: dict[str, tuple[float, float]]) -> None:
    assert {trip.name: (trip.threshold, trip.clearing_s) for trip in VOLTAGE_TRIPS[category]} == settings


def test_every_unit_may_ride_through_as_long_as_it_must() -> None:
    """The standard leaves no voltage where a unit must trip before it may: the tables agree with each other."""
    for category, trips in VOLTAGE_TRIPS.items():
        for k in range(1200):
            v_pu = k / 1000.0
            must_ride_s = region_of(v_pu, category=category).ride_through_s(v_pu)
            must_trip_s = min((t.clearing_s for t in trips if t.beyond(v_pu)), default=inf)
            assert must_ride_s <= must_trip_s, (category, v_pu)


# Clause 5.3.3, Table 8; clause 5.3.4, Table 9; clause 5.4.2, Table 10.
def test_the_curves_are_the_tables_defaults() -> None:
    table_8 = {
        "A": [(0.85, 0.25), (0.9, 0.25), (0.95, 0.125), (1.0, 0.0), (1.05, -0.125), (1.1, -0.25), (1.2, -0.25)],
        "B": [(0.92, 0.44), (0.95, 0.22), (0.98, 0.0), (1.02, 0.0), (1.05, -0.22), (1.08, -0.44), (1.1, -0.44)],
    }
    for category, points in table_8.items():
        for v_pu, q_pu in points:
            assert on_curve(VOLT_VAR[category], v_pu) == pytest.approx(q_pu, abs=1e-12)
    assert VOLT_VAR_RESPONSE_S == {"A": 10.0, "B": 5.0}
    for category, q_full in (("A", -0.25), ("B", -0.44)):
        for p_pu, q_pu in ((0.0, 0.0), (0.5, 0.0), (0.75, q_full / 2), (1.0, q_full), (-0.5, 0.0), (-1.0, 0.44)):
            assert on_curve(WATT_VAR[category], p_pu) == pytest.approx(q_pu, abs=1e-12)
    for v_pu, p_pu in ((1.06, 1.0), (1.08, 0.6), (1.1, 0.2)):
        assert on_curve(VOLT_WATT, v_pu) == pytest.approx(p_pu, abs=1e-12)
    assert on_curve(VOLT_WATT_STORAGE, 1.08) == pytest.approx(0.5, abs=1e-12)


def test_frequency_droop_is_the_formula_of_table_23_with_the_defaults_of_table_24() -> None:
    # (60.336 - 60.036) / (60 x 0.05) = 0.1 less; 0.036 Hz of dead band either way.
    assert Droop().change_pu(60.336) == pytest.approx(-0.1, abs=1e-12)
    assert Droop().change_pu(59.364) == pytest.approx(0.2, abs=1e-12)
    assert Droop().change_pu(60.035) == Droop().change_pu(59.97) == 0.0
