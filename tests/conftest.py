"""Strict switches for every test: double precision, no silent promotion, warnings are errors."""

import os
import sys
from pathlib import Path

import hypothesis
import jax
import matplotlib
import pytest

# Notebooks read this and run at small sizes.
os.environ.setdefault("SMOKE", "1")

matplotlib.use("Agg")

LARGEST_NUMBER_OF_MAPS = 25_000

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# A deadline would time JAX's compilation of the first example.
hypothesis.settings.register_profile("default", deadline=None, max_examples=25)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=500)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default")
)


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled programs between runs, in pytest's own cache folder."""
    cache = getattr(config, "cache", None)
    folder = cache.mkdir("jax") if cache else None
    if folder is not None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@pytest.fixture(autouse=True)
def _close_figures():
    """Close the figures of a test, so that none leaks into the next."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True, scope="module")
def _few_memory_maps():
    """Forget compiled programs before they use up the memory maps of the process.

    Linux allows a process 65,530; XLA takes several per program, and crashes when they run out.
    """
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_text(encoding="utf-8").count("\n") > LARGEST_NUMBER_OF_MAPS:
        jax.clear_caches()
