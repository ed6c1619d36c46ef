"""What stands between the plant's truth and a telemetry frame: sensors, scan classes, channels, and their faults."""
