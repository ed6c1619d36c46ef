"""Co-simulation: the feeder as a HELICS federate, so that a transmission or a communication simulator can join.

Needs the extra `cosim`; nothing here imports HELICS before a scenario with `[cosim]` is run."""
