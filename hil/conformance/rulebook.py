"""All rules, in the order in which they are tried: what a later one rests on comes first."""

from __future__ import annotations

from hil.conformance import (
    connection_rules,
    delivery_rules,
    lease_rules,
    obedience_rules,
    order_rules,
    range_rules,
    registration_rules,
    telemetry_rules,
)
from hil.conformance.rules import Rule

FULL: tuple[Rule, ...] = (
    *registration_rules.RULES,
    *telemetry_rules.RULES,
    *obedience_rules.RULES,
    *lease_rules.RULES,
    *order_rules.RULES,
    *range_rules.RULES,
    *delivery_rules.RULES,
    *connection_rules.RULES,
)
QUICK: tuple[Rule, ...] = tuple(rule for rule in FULL if rule.quick)
