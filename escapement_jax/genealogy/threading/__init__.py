"""Threading lineages onto graphs: messages, paths, windows, the first pass and Gibbs sweeps."""
