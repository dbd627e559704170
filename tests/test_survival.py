"""Runs in processes of their own, killed at whatever they are, go on where they were.

The processes are forked from one that has imported everything and computed nothing.
"""

import json
import multiprocessing
import os
import signal
import subprocess
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.reference.survivors import survive

PROCESSES = multiprocessing.get_context("forkserver")
SECONDS = 240


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Start a run of a verb in its own process; returns the process."""
    PROCESSES.set_forkserver_preload(["tests.reference.survivors"])
    cache = jax.config.jax_compilation_cache_dir or str(tmp_path_factory.mktemp("cache"))

    def run(name, output, stop="", *, resume=False):
        process = PROCESSES.Process(target=survive, args=(name, output, cache, stop, resume))
        process.start()
        return process

    return run


def finish(process):
    process.join(SECONDS)
    code = process.exitcode
    process.kill()
    return code


def result(output):
    with np.load(output / "result.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """Results of runs that nothing has stopped."""
    folder, results = tmp_path_factory.mktemp("whole"), {}

    def get(name):
        if name not in results:
            assert finish(start(name, folder / name)) == 0
            results[name] = result(folder / name)
        return results[name]

    return get


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


STOPS = {
    "infer": ["SIGKILL 2", "SIGKILL 7", "SIGTERM 10"],
    "recover": ["SIGKILL 1"],
    "decompose": ["SIGKILL 1"],
    "explore": ["SIGKILL 2", "SIGTERM 4"],
    "train": ["SIGKILL 1"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STOPS)
def test_a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been(
    start, whole, tmp_path, name
):
    output = tmp_path / "run"
    for place, stop in enumerate(STOPS[name]):
        code = finish(start(name, output, stop, resume=place > 0))
        expected = -signal.SIGKILL if stop.startswith("SIGKILL") else 1
        assert code == expected
        assert not output.exists()
    assert finish(start(name, output, resume=True)) == 0
    assert_same(result(output), whole(name))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_two_runs_at_once_and_a_damaged_checkpoint(start, whole, tmp_path):
    """The second run is refused; the newest checkpoint is damaged, and the one before serves."""
    output, folder = tmp_path / "run", tmp_path / "run.unfinished" / "checkpoints"
    first = start("explore", output, "SIGSTOP 3")
    while not (folder / "3.seal.json").exists():
        assert first.is_alive()
    assert finish(start("explore", output, resume=True)) == 1
    first.kill()
    assert finish(first) == -signal.SIGKILL
    newest = max(int(path.name) for path in folder.iterdir() if path.name.isdigit())
    for path in (folder / str(newest)).rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:10])
    assert finish(start("explore", output, resume=True)) == 0
    assert_same(result(output), whole("explore"))


def test_a_limit_on_files_leaves_the_last_checkpoint(start, whole, tmp_path):
    """A file that may not grow is what a full disk looks like to the process that writes."""
    output = tmp_path / "run"
    assert finish(start("explore", output, "FULL 2")) == 1
    assert (tmp_path / "run.unfinished" / "checkpoints" / "2.seal.json").exists()
    assert finish(start("explore", output, resume=True)) == 0
    assert_same(result(output), whole("explore"))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB, where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk):
    """Leave no byte to anybody else."""
    others = disk / "of others"
    with others.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1024)):
                pass
        except OSError:
            return others


def wait_until_stopped(process):
    while Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        assert process.is_alive()


def test_a_full_disk_leaves_the_last_checkpoint(start, whole, small_disk):
    """Others fill the disk between two checkpoints; they make room, and the run goes on."""
    output, folder = small_disk / "run", small_disk / "run.unfinished" / "checkpoints"
    first = start("explore", output, "SIGSTOP 2")
    wait_until_stopped(first)
    others = fill(small_disk)
    os.kill(first.pid, signal.SIGCONT)
    assert finish(first) == 1
    assert not output.exists()
    last = max(int(path.name.split(".")[0]) for path in folder.glob("*.seal.json"))
    assert last >= 2
    others.unlink()
    assert finish(start("explore", output, resume=True)) == 0
    summary = json.loads((output / "summary.json").read_text())
    assert summary["resumed_from"] == f"{100 * last} rollouts"
    assert_same(result(output), whole("explore"))
