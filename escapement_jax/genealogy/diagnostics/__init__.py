"""How far draws can be trusted: weights, chains, predictive checks, calibration."""
