"""What every fit shares: progress on the terminal and the report of a run."""
