"""Identifiers. A name is a name, an index is an index: mypy keeps them apart."""

from typing import NewType

BusId = NewType("BusId", str)
ElementId = NewType("ElementId", str)
"""Id of any installed thing: line, switch, transformer, capacitor, load, DER, source. Unique in a model."""
SectionId = NewType("SectionId", str)
ControllerId = NewType("ControllerId", str)
"""A gRPC client that holds devices."""
TelemetrySourceId = NewType("TelemetrySourceId", str)
CommandId = NewType("CommandId", str)
PlanId = NewType("PlanId", str)
SnapshotId = NewType("SnapshotId", str)
ModelVersion = NewType("ModelVersion", str)
"""Content hash of the network model."""
