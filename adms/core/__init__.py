"""Records, ids, units and errors that every floor shares."""
