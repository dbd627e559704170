"""Notebooks run small under pytest; set SMOKE=0 to run them in full."""

import os

os.environ.setdefault("SMOKE", "1")
