"""Parameters of the world that are learned along the sweeps."""
