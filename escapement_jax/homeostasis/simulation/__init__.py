"""Metabolic time courses whose network, rates and set points are known."""
