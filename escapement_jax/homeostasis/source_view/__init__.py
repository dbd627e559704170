"""The published view of a recovery: a node network with embeddings, and its metrics."""
