"""Hardware-in-the-loop bench: physics, meters, devices and a referee of its own. It knows the service only through
its gRPC API (`adms.client`)."""
