"""Files of metabolic time courses, networks and what was recovered from them."""
