"""Draws as tskit tree sequences: nodes, edges, mutations."""
