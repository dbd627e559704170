"""Homeostasis and metabolite types from metabolic time courses."""
