"""How long a command takes before it works, and what its second run compiles."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from escapement_jax.command_line.compilation_cache import cache_folder

MOST_SECONDS = 1.0

COUNTED = """
import collections, json, sys
from escapement_jax.command_line import main
assert "jax" not in sys.modules
counts = collections.Counter()
import escapement_jax.command_line.verb as verb
keep = verb.keep_compiled_programs
def keep_and_count():
    keep()
    import jax.monitoring
    jax.monitoring.register_event_listener(lambda event, **_: counts.update([event]))
verb.keep_compiled_programs = keep_and_count
code = main(sys.argv[1:])
print(json.dumps({"code": code, **counts}))
"""


def cpu_seconds_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize(
    "code",
    [
        "import escapement_jax",
        "from escapement_jax.command_line import main; main(['--help'])",
        "from escapement_jax.command_line import main; main(['infer', '--help'])",
        "from escapement_jax.command_line import main; main(['report', '--help'])",
    ],
)
def test_import_and_help_come_at_once_and_without_jax(code):
    tried = (
        f"try:\n    {code}\nexcept SystemExit: pass\nimport sys\nassert 'jax' not in sys.modules"
    )
    before = cpu_seconds_of_children()
    subprocess.run([sys.executable, "-c", tried], check=True, capture_output=True)
    assert cpu_seconds_of_children() - before < MOST_SECONDS


def test_the_second_run_compiles_nothing(tmp_path):
    words = ["explore", "--budget", "40", "--batch-size", "20", "--num-starts", "20"]
    words += ["--start", "random", "--strategy", "random", "--num-steps", "50"]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("JAX_")
    } | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "MPLBACKEND": "agg"}

    def run(name):
        done = subprocess.run(
            [sys.executable, "-c", COUNTED, *words, "--output", str(tmp_path / name)],
            check=True,
            capture_output=True,
            env=environment,
            text=True,
        )
        counts = json.loads(done.stdout.splitlines()[-1])
        assert counts["code"] == 0
        kinds = ("compile_requests_use_cache", "cache_hits", "cache_misses")
        return [counts.get(f"/jax/compilation_cache/{kind}", 0) for kind in kinds]

    requests, hits, misses = run("first")
    assert requests == hits + misses
    assert misses > 50
    assert run("second") == [requests, requests, 0]


def test_the_cache_can_be_switched_off(tmp_path):
    code = (
        "from escapement_jax.command_line.parse import parse\n"
        "parse(['explore', '--output', 'x', '--no-compilation-cache']).prepare()\n"
        "import jax\n"
        "assert not jax.config.jax_enable_compilation_cache\n"
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert not list(tmp_path.iterdir())


def test_compiled_programs_lie_where_the_user_wants_them(monkeypatch, tmp_path):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "escapement-jax" / "compiled"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/not/valid")
    assert cache_folder() == Path.home() / ".cache" / "escapement-jax" / "compiled"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
