"""A second, simpler law with exact evidence: every haplotype copies others."""
