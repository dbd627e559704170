"""A network that reads aligned genomes and says where each may be copied from."""
