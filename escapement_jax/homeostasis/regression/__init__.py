"""Fits that are linear in everything but the substrate law."""
