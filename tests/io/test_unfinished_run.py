"""Working folders of unfinished runs: who may go on in them, and what they refuse."""

import json
import os
import platform
import subprocess
import sys

import pytest

from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.io.run_lock import run_lock
from escapement_jax.io.unfinished_run import (
    RunIdentity,
    fingerprints,
    may_replace,
    unfinished_run,
)

IDENTITY = RunIdentity("infer", "0.1.0", "[infer]\nseed = 1\ndraws = 4\n", {"input": "abc"})


def work(output, identity=IDENTITY, *, resume=False, growing=None, kept=True, fails=True):
    """Run until a checkpoint is kept, or to the end."""
    with unfinished_run(output, identity, resume=resume, growing=growing) as folder:
        if kept:
            (folder / "checkpoints" / "1").mkdir(parents=True, exist_ok=True)
        if fails:
            raise RuntimeError("killed")


@pytest.fixture
def unfinished(tmp_path):
    with pytest.raises(RuntimeError, match="killed"):
        work(tmp_path / "run")
    return tmp_path / "run"


def test_the_folder_goes_with_success_and_with_failure_before_anything_is_kept(tmp_path):
    work(tmp_path / "run", fails=False)
    with pytest.raises(RuntimeError, match="killed"):
        work(tmp_path / "run", kept=False)
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_run_is_neither_lost_nor_taken_up_unasked(unfinished):
    with pytest.raises(FileExistsError, match="unfinished run of infer; use --resume to go on"):
        work(unfinished)
    work(unfinished, resume=True, fails=False)
    assert list(unfinished.parent.iterdir()) == []


def test_force_starts_anew(unfinished):
    forced = RunIdentity("infer", "0.1.0", "[infer]\nseed = 2\n", {}, {}, True)
    (unfinished.parent / "run.unfinished" / "checkpoints" / "1" / "old").mkdir()
    with pytest.raises(RuntimeError, match="killed"):
        work(unfinished, forced)
    assert not (unfinished.parent / "run.unfinished" / "checkpoints" / "1" / "old").exists()
    assert may_replace(unfinished)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": "[infer]\nseed = 2\ndraws = 4\n"}, r"infer\.seed was 1, now it is 2"),
        ({"settings": "[infer]\nseed = 1\n"}, r"infer\.draws was 4, now it is not given"),
        ({"inputs": {"input": "abd"}}, "the content of the input has changed"),
        ({"version": "0.2.0"}, r"its version was 0\.1\.0, now it is 0\.2\.0"),
        ({"verb": "explore"}, "its verb was infer"),
    ],
)
def test_another_question_is_refused(unfinished, change, message):
    old = {"verb": "infer", "version": "0.1.0", "settings": IDENTITY.settings}
    other = RunIdentity(**{**old, "inputs": IDENTITY.inputs, **change})
    with pytest.raises(ValueError, match=message):
        work(unfinished, other, resume=True)
    assert (unfinished.parent / "run.unfinished" / "checkpoints" / "1").exists()


def test_a_setting_may_grow_and_another_machine_is_warned_of(unfinished, caplog):
    grown = RunIdentity(
        "infer", "0.1.0", "[infer]\nseed = 1\ndraws = 9\n", IDENTITY.inputs, {"device": "gpu"}
    )
    work(unfinished, grown, resume=True, growing="infer.draws", fails=False)
    assert "the run was started with device None, now it is gpu" in caplog.text


def test_nothing_to_resume_is_told(tmp_path, caplog):
    work(tmp_path / "run", resume=True, fails=False)
    assert "starting from the beginning" in caplog.text


def test_fingerprints_are_of_contents(tmp_path):
    table, store = tmp_path / "a.csv", tmp_path / "store.vcz"
    table.write_text("1")
    (store / "inner").mkdir(parents=True)
    (store / "inner" / "chunk").write_text("1")
    config = DecomposeConfig(phenotypes=table)
    first = fingerprints(config, input=store, truth=None)
    assert set(first) == {"phenotypes", "input"}
    (store / "inner" / "chunk").write_text("2")
    second = fingerprints(config, input=store)
    assert second["phenotypes"] == first["phenotypes"]
    assert second["input"] != first["input"]


HOLD = """
import sys
from pathlib import Path
from escapement_jax.io.run_lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_refused_until_the_first_is_gone(tmp_path):
    """Another process holds the lock; killed, it leaves a stale one that does not hinder."""
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdin=-1, stdout=-1) as other:
        assert other.stdout.readline() == b"locked\n"
        owner = f"process {other.pid} on {platform.node()}"
        with (
            pytest.raises(FileExistsError, match=f"another run is working.*{owner}"),
            run_lock(tmp_path),
        ):
            pytest.fail("two runs at once")
        other.kill()
    assert json.loads((tmp_path / "lock").read_text())["pid"] == other.pid
    with run_lock(tmp_path):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []
