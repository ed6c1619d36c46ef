"""Real devices in the loop: a plant behind SunSpec inverters and DNP3 RTUs, simulated or real, that the service reaches
through its own gateways. In real time only: the gateways live on wall time."""
