"""What every run that survives does at its start and at its end."""

import contextlib
import json
import resource
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.execution import Execution
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.experiments.surviving_run import identify_run, surviving_run

STATE = {"state": np.arange(3)}


def run(output, **options):
    execution = Execution(checkpoint_seconds=0, **options)
    identity = identify_run("infer", InferConfig(), execution=execution, replaces=False)
    return surviving_run(output, identity, execution)


def broken_off(output):
    """A run that has kept one state."""
    with contextlib.suppress(RuntimeError), run(output) as (_, keeper):
        keeper.offer("chains", "half way", lambda: STATE)
        raise RuntimeError


def test_a_summary_says_from_where_the_run_was_resumed(tmp_path):
    broken_off(tmp_path / "run")
    with run(tmp_path / "run", resume=True) as (results, keeper):
        np.testing.assert_array_equal(keeper.kept("chains")["state"], STATE["state"])
        (results / "summary.json").write_text('{"elbo": -1.5}')
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary == {"elbo": -1.5, "resumed_from": "half way"}


def test_processes_that_have_nothing_to_share_are_refused(tmp_path):
    execution = Execution(coordinator="127.0.0.1:1", processes=2, process=0)
    identity = identify_run("explore", InferConfig(), execution=execution, replaces=False)
    with (
        pytest.raises(ValueError, match="explore runs in one process; leave out --coordinator"),
        surviving_run(tmp_path / "run", identity, execution),
    ):
        pytest.fail("it ran")
    assert list(tmp_path.iterdir()) == []


def test_other_devices_and_memory_are_told_of(tmp_path, caplog):
    broken_off(tmp_path / "run")
    with run(tmp_path / "run", resume=True, devices=2, memory_limit=0.5):
        pass
    assert "started with number of devices 1, now it is 2" in caplog.text
    assert "started with memory limit none, now it is 0.5" in caplog.text


@contextlib.contextmanager
def limited_memory():
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**28, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is limited on Linux")
def test_an_allocation_that_fails_names_what_to_lower_and_leaves_no_results(tmp_path):
    """The limit is real: the process may map no more than 256 MB beside what it has."""
    broken_off(tmp_path / "run")

    def resume_and_fail():
        with run(tmp_path / "run", resume=True) as (results, _):
            (results / "half.csv").write_text("half")
            with limited_memory():
                jnp.zeros(2**30, jnp.int8).block_until_ready()

    with pytest.raises(ValueError, match="out of memory.*lower --memory-limit .* and --resume"):
        resume_and_fail()
    left = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_dir()]
    assert [path.name for path in left if len(path.parts) == 1] == ["run.unfinished"]
    assert not list(tmp_path.rglob("half.csv"))
    with run(tmp_path / "run", resume=True) as (_, keeper):
        assert keeper.resumed_from == "half way"
