"""Run the small runs on one and on several simulated devices, and say how far they are apart.

A program of its own: the number of devices is fixed when JAX starts.
"""

import json
import logging
import sys

import jax
import numpy as np

from escapement_jax.training.devices import device_mesh
from escapement_jax.training.keeper import Keeper
from tests.reference.survivors import SURVIVORS


def largest_difference(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """Largest difference of any entry, relative to the largest entry of its array."""
    worst = 0.0
    for name, array in one.items():
        here, there = np.asarray(array, float), np.asarray(other[name], float)
        if here.shape != there.shape or (np.isnan(here) != np.isnan(there)).any():
            return float("inf")
        if here.size:
            size = np.nanmax(np.abs(here), initial=0.0) or 1.0
            worst = max(worst, float(np.nanmax(np.abs(here - there), initial=0.0)) / size)
    return worst


def main(cache: str, counts: str, *names: str) -> None:
    logging.basicConfig()
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    for name in names:
        single = SURVIVORS[name](Keeper())
        for count in map(int, counts.split(",")):
            with device_mesh(count) as used:
                several = SURVIVORS[name](Keeper())
            print(json.dumps([name, used, largest_difference(single, several)]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
