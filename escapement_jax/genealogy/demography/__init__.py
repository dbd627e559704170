"""Population size through time, from pairs of haplotypes or from graphs."""
