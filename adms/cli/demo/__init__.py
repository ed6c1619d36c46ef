"""`adms demo`: service and bench as processes, shown as they go."""
