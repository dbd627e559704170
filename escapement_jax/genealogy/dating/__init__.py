"""Continuous times for the nodes of a draw, from their exact law given topologies and data."""
