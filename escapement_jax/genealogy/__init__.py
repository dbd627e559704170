"""Inference of ancestral recombination graphs and population sizes from phased genomes."""
