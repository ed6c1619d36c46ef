"""The conformance kit for DER controllers: it plays the service's side of the control and telemetry API, and says rule
by rule whether a client that someone else wrote keeps what the API, SAFETY and the standards ask of it."""
