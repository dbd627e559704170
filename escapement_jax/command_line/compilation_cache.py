"""Compiled programs kept between commands, so that the second run of a kind compiles nothing."""

import os
import sys
from pathlib import Path

FOLDER_VARIABLE = "JAX_COMPILATION_CACHE_DIR"
"""JAX's own variable for the folder; where it is set, it is obeyed."""


def cache_folder() -> Path:
    """Return the folder of compiled programs: as JAX is told, else in the user's cache folder."""
    if told := os.environ.get(FOLDER_VARIABLE):
        return Path(told)
    # The XDG specification: a relative path is not valid and must be ignored.
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".cache") / "escapement-jax" / "compiled"


def keep_compiled_programs() -> None:
    """Let JAX, which is not imported yet, keep every compiled program in a folder.

    Only variables that are not set are set: who has told JAX something keeps it, and so does a
    program that has imported JAX before. By default JAX keeps what took a second to compile, but a
    run has a hundred small programs.
    """
    if "jax" in sys.modules:
        return
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # A read-only home is no reason not to run.
    os.environ.setdefault(FOLDER_VARIABLE, str(folder))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def forget_compiled_programs() -> None:
    """Let JAX, which is not imported yet, neither read nor write compiled programs."""
    if "jax" not in sys.modules:
        os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
