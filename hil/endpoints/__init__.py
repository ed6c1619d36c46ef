"""Device endpoints of the bench on real field protocols."""
