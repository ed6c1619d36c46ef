"""The physics under test: OpenDSS, weather, customers, DER, protection and local controls."""
