"""Between core records and the wire: what the adapters and the client both need, once."""
