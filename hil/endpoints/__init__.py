"""Device endpoints: simulated field devices on real protocols."""
