"""Histories, discoveries and circuits in files."""
