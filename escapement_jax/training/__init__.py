"""What every fit shares: loop, optimiser, when to stop, progress, and the report of a run."""
