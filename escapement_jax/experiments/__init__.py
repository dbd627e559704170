"""Composition: a configuration in, a run directory out; one file per verb."""
