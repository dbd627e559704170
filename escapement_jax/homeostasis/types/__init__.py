"""Which metabolites belong together: unlabelled mixtures over homeostasis."""
