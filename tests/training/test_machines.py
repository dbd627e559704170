"""Two processes on this machine share one fit, or one training, over loopback."""

import multiprocessing
import socket

import jax
import numpy as np
import pytest

from escapement_jax.training.machines import Machines
from tests.reference.two_machines import THIRD, work

PROCESSES = multiprocessing.get_context("forkserver")
SECONDS = 240


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def run(task, output, processes):
    cache = jax.config.jax_compilation_cache_dir or str(output / "cache")
    coordinator = f"127.0.0.1:{free_port()}" if processes > 1 else None
    words = [(task, output, cache, coordinator, process, processes) for process in range(processes)]
    started = [PROCESSES.Process(target=work, args=one) for one in words]
    for one in started:
        one.start()
    for one in started:
        one.join(SECONDS)
        code = one.exitcode
        one.kill()
        assert code == 0
    paths = [output / f"result {processes} {process}.npz" for process in range(processes)]
    return [dict(np.load(path)) for path in paths]


WEIGHTS = "0."
"""What the names of the network's arrays begin with."""


@pytest.mark.parametrize("task", ["fit", pytest.param("train", marks=pytest.mark.slow)])
def test_two_processes_do_what_one_does(tmp_path, task):
    """They share one N_e(t) over regions, or one network over windows.

    Of the network the bounds of all steps are compared, not the weights: a number added to all
    potentials changes nothing, so its slope is rounding, of which Adam makes steps.
    """
    PROCESSES.set_forkserver_preload(["tests.reference.survivors", "tests.reference.two_machines"])
    [alone] = run(task, tmp_path, 1)
    first, second = run(task, tmp_path, 2)
    for name in alone:
        # The same on all processes to the last bit; sums in another order than of one process.
        np.testing.assert_array_equal(first[name], second[name])
        if name != "third" and not name.startswith(WEIGHTS):
            np.testing.assert_allclose(first[name], alone[name], rtol=1e-9, atol=1e-9)
    if task == "fit":
        assert first["third"] == THIRD + THIRD
    else:
        assert {"0.heads.states.shift", "bound", "sizes"} <= alone.keys()


def test_numbers_are_needed():
    with pytest.raises(ValueError, match="needs --processes and --process"):
        Machines("127.0.0.1:1234")
    assert Machines("auto").processes is None
