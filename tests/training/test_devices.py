"""Batches spread over four simulated devices give what one device gives."""

import json
import os
import subprocess
import sys

import jax
import pytest

from escapement_jax.training.devices import (
    batched,
    device_mesh,
    largest_divisor,
    num_devices,
    padded,
)

SAME = {"rollouts": 0.0, "networks": 0.0, "chains": 1e-13, "segments": 1e-11, "windows": 1e-11}
"""Largest relative difference: none where a device does what one alone does. A device that has one
chain rather than four rounds its sums otherwise, and segments and windows are summed device by
device; all that is drawn is the same."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME)
def test_several_devices_give_what_one_gives(tmp_path, name):
    cache = jax.config.jax_compilation_cache_dir or str(tmp_path)
    words = [sys.executable, "-m", "tests.reference.on_devices", cache, "4", name]
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        words, env={**os.environ, **flags}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    [(told, used, difference)] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (told, used) == (name, 4)
    assert difference <= SAME[name]


def test_one_device_changes_nothing():
    numbers = jax.numpy.arange(3)
    with device_mesh(1, batch=5) as used:
        assert used == num_devices() == 1
        assert batched(numbers) is numbers
        assert padded(numbers) is numbers


def test_too_many_devices_are_refused():
    with pytest.raises(ValueError, match="devices is 99, but there are"), device_mesh(99):
        pytest.fail("there are no 99 devices")


def test_as_many_devices_are_used_as_divide_the_batch():
    assert [largest_divisor(batch, 4) for batch in (1, 6, 7, 8, 9)] == [1, 3, 1, 4, 3]
