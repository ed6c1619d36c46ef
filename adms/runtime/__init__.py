"""The shell around the pure parts: clock, image, journal, modes, gate and the round."""
