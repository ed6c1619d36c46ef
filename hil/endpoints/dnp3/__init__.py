"""DNP3 outstations (IEEE 1815-2012) for simulated RTUs: one TCP port each, many in one process.

Link, transport and object layouts are the library `dnp3py`'s; what an outstation decides (events, dead bands,
selections, unsolicited responses) is here and takes time as an argument, so that it is the same in every run.
"""
