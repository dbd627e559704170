"""The genome and what is told of it: genotypes, bins, rate maps, time levels, population size."""
