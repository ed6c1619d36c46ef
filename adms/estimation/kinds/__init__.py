"""What each kind of telemetry measures, one module each, as rows of one form."""
