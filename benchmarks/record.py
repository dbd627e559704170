"""What a benchmark writes beside its figures, so that they can be read years later."""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax

PACKAGES = ("escapement-jax", "jax", "jaxlib", "equinox", "numpy", "tskit", "msprime")
REPOSITORY = Path(__file__).resolve().parents[1]


def provenance() -> dict[str, Any]:
    """Return the command, versions, commit and machine of this process."""
    return {
        "command": " ".join(["python", *sys.argv]).replace(f"{REPOSITORY}/", ""),
        "commit": _git("rev-parse", "HEAD") or "unknown",
        "uncommitted_changes": bool(_git("status", "--porcelain")),
        "versions": {"python": platform.python_version()} | _versions(),
        "device": {
            "platform": jax.default_backend(),
            "kind": jax.devices()[0].device_kind,
            "number": jax.device_count(),
            "cpu_cores": os.cpu_count(),
            "xla_flags": os.environ.get("XLA_FLAGS", ""),
        },
    }


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write figures and their provenance as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"provenance": provenance(), **result}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")


def commit() -> str:
    """Return the commit of the code that runs, with a plus sign if it has changed since."""
    return _git("rev-parse", "HEAD") + "+" * bool(_git("status", "--porcelain"))


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
