"""The network as a value: model, admittance, state, topology, sections."""
