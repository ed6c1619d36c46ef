"""Rules of the overlay that are about many elements: ratings, reliability, customers, classes and zones."""

from typing import Self

from pydantic import Field, model_validator

from adms.adapters.tables import Name, NotNegative, Positive, Table
from adms.grid.model import BranchKind


class BranchChoice(Table):
    """Which branches a rule is about: named ones, those of a class, or all. Named ones go before classes, a class of
    more conditions before one of fewer, and all of that before the default; of equal rules the later one counts."""

    elements: tuple[Name, ...] | None = None
    kind: BranchKind | None = None
    phases: int | None = Field(default=None, ge=1, le=3)
    """How many it has; a balanced branch has three."""
    phase_to_phase_min_v: NotNegative | None = None
    """Nominal voltage of its highest terminal, phase to phase, and above."""
    phase_to_phase_max_v: Positive | None = None
    """And up to this."""
    default: bool = False

    @property
    def conditions(self) -> int:
        """How many conditions of a class are given."""
        given = (self.kind, self.phases, self.phase_to_phase_min_v, self.phase_to_phase_max_v)
        return sum(condition is not None for condition in given)

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if sum((self.elements is not None, self.conditions > 0, self.default)) != 1:
            raise ValueError("needs exactly one of elements, a class (kind, phases, voltages) and default = true")
        return self


class OverlayRating(BranchChoice):
    """Ratings of lines and switches (of every kind of branch where `kind` or `elements` say so)."""

    normal_a: Positive | None = None
    emergency_a: Positive | None = None
    rating_va: Positive | None = None
    """Of a transformer, all phases."""

    @model_validator(mode="after")
    def _both(self) -> Self:
        if self.normal_a is None and self.rating_va is None:
            raise ValueError("needs normal_a with emergency_a, or rating_va")
        if (self.normal_a is None) != (self.emergency_a is None):
            raise ValueError("normal_a goes with emergency_a")
        if self.normal_a is not None and self.emergency_a is not None and self.emergency_a < self.normal_a:
            raise ValueError("emergency_a must not be below normal_a")
        return self


class OverlayReliability(BranchChoice):
    """How often branches fail and how long a repair takes."""

    failure_rate_per_year: NotNegative | None = None
    failure_rate_per_km_year: NotNegative | None = None
    """Times the length; a branch of unknown length keeps what it has."""
    repair_h: Positive | None = None

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        given = (self.failure_rate_per_year, self.failure_rate_per_km_year, self.repair_h)
        if all(value is None for value in given):
            raise ValueError("says nothing: failure_rate_per_year, failure_rate_per_km_year or repair_h")
        if self.failure_rate_per_year is not None and self.failure_rate_per_km_year is not None:
            raise ValueError("has either failure_rate_per_year or failure_rate_per_km_year")
        return self


class OverlayCustomers(Table):
    """The rule for all loads, or one load's own number."""

    default_w_per_customer: Positive | None = None
    """Customers of a load are its power over this, at least one."""
    load: str | None = None
    customers: int | None = Field(default=None, ge=0, le=10**9)
    critical: bool = False
    """All of them are critical."""
    critical_customers: int | None = Field(default=None, ge=0)
    """So many of them are."""

    @model_validator(mode="after")
    def _rule_or_load(self) -> Self:
        if (self.default_w_per_customer is None) == (self.load is None):
            raise ValueError("needs exactly one of default_w_per_customer and load")
        if (self.load is None) != (self.customers is None):
            raise ValueError("load goes with customers")
        if self.critical_customers is not None and (self.critical or self.critical_customers > (self.customers or 0)):
            raise ValueError("critical_customers are some of a load's customers; critical = true makes all of them so")
        return self


class OverlayLoadClass(Table):
    """Which class, and so which profile, loads belong to."""

    name: Name
    loads: tuple[Name, ...] | None = None
    zone: str | None = None
    default: bool = False

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if sum((self.loads is not None, self.zone is not None, self.default)) != 1:
            raise ValueError("needs exactly one of loads, zone and default = true")
        return self


class OverlayZone(Table):
    """An administrative area: named buses, or all that no other zone names."""

    name: Name
    buses: tuple[Name, ...] | None = None
    default: bool = False

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if (self.buses is not None) == self.default:
            raise ValueError("needs exactly one of buses and default = true")
        return self
