"""Graphs along the genome: in chunks while they are sampled, as draws after."""
