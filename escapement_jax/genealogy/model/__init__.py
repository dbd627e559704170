"""The law of a discretised SMC' with mutation: trees, records, site likelihoods."""
