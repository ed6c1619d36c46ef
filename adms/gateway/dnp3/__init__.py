"""A DNP3 master (IEEE 1815-2012): RTUs on one side, the gRPC API on the other.

Telemetry goes up with its quality and the time it was measured; commands go down as select-before-operate. An RTU is
one table of the configuration; another one is put in by its address.
"""
