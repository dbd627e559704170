"""Checkpoints come back bit for bit, survive damage, and tell of a full disk."""

import errno
import os
import shutil

import jax
import numpy as np
import pytest

from escapement_jax.training.checkpoints import CheckpointError, Checkpoints
from escapement_jax.training.named_arrays import pack_tree, unpack_tree

FACTS = {"place": "half way"}


def arrays(seed=0):
    generator = np.random.default_rng(seed)
    return {
        "chains/trees": generator.integers(-1, 9, (50, 40)).astype(np.int8),
        "chains/number": np.asarray(3.5),
        "chains/single": generator.normal(size=3).astype(np.float32),
        "flags": np.array([True, False]),
        "nothing": np.zeros((0, 3), np.int32),
        "odd": np.array([np.nan, -0.0, np.inf]),
    }


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Three checkpoints, of which two are kept."""
    folder = tmp_path_factory.mktemp("written") / "checkpoints"
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.newest() is None
        for seed in range(3):
            assert checkpoints.save(arrays(seed), {**FACTS, "seed": seed}) == seed + 1
    return folder


@pytest.fixture
def folder(written, tmp_path):
    shutil.copytree(written, tmp_path / "checkpoints")
    return tmp_path / "checkpoints"


def read(folder):
    with Checkpoints(folder) as checkpoints:
        return checkpoints.newest()


def test_the_newest_two_are_kept_bit_for_bit(folder):
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["2", "3"]
    found = read(folder)
    assert (found.number, found.facts) == (3, {**FACTS, "seed": 2})
    assert_same(found.arrays, arrays(2))


def largest_file(folder):
    files = [path for path in (folder / "3").rglob("*") if path.is_file()]
    return max(files, key=lambda path: path.stat().st_size)


def truncate(folder):
    path = largest_file(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(folder):
    path = largest_file(folder)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def remove_a_file(folder):
    largest_file(folder).unlink()


def garble_the_seal(folder):
    (folder / "3.seal.json").write_text("{")


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, remove_a_file, garble_the_seal])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(folder, caplog, damage):
    damage(folder)
    found = read(folder)
    assert found.number == 2
    assert_same(found.arrays, arrays(1))
    assert "checkpoint 3 is damaged" in caplog.text
    assert not (folder / "3").exists()


def test_what_a_kill_left_unsealed_does_not_count(folder):
    (folder / "3.seal.json").unlink()
    (folder / "4.orbax-checkpoint-tmp").mkdir()
    assert read(folder).number == 2
    assert sorted(path.name for path in folder.iterdir()) == ["2", "2.seal.json"]


def test_damage_to_all_is_told(folder):
    for number in (2, 3):
        (folder / f"{number}.seal.json").write_text('{"files": {}}')
    with pytest.raises(CheckpointError, match="all checkpoints in .* are damaged; use --force"):
        read(folder)
    assert (folder / "3").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_and_the_last_checkpoint_stays(folder, monkeypatch, code):
    def full(*arguments):
        raise OSError(code, os.strerror(code))

    with Checkpoints(folder) as checkpoints:
        with monkeypatch.context() as patch:
            patch.setattr(os, "posix_fallocate", full)
            checkpoints.save(arrays(3), FACTS)
            with pytest.raises(CheckpointError, match=f"{os.strerror(code)}.*checkpoint 3 is kept"):
                checkpoints.wait()
        assert_same(checkpoints.newest().arrays, arrays(2))
        checkpoints.save(arrays(4), FACTS)
    assert_same(read(folder).arrays, arrays(4))


def test_an_error_on_the_way_out_of_a_failure_is_only_logged(folder, monkeypatch, caplog):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    def work():
        with Checkpoints(folder) as checkpoints:
            checkpoints.save(arrays(3), FACTS)
            raise RuntimeError("first")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RuntimeError, match="first"):
        work()
    assert "No space left" in caplog.text


def test_trees_with_random_keys_are_packed_and_unpacked():
    tree = {"key": jax.random.key(7), "list": [np.arange(3), jax.numpy.ones(2)], "text": "kept"}
    other = {"key": jax.random.key(1), "list": [np.arange(9), jax.numpy.zeros(1)], "text": "kept"}
    packed = pack_tree(tree)
    assert all(isinstance(array, np.ndarray) for array in packed.values())
    found = unpack_tree(other, packed)
    assert jax.random.bits(found["key"]) == jax.random.bits(tree["key"])
    np.testing.assert_array_equal(found["list"][0], np.arange(3))
    assert isinstance(found["list"][1], jax.Array)
    with pytest.raises(ValueError, match=r"lacks array 'list\.1'"):
        unpack_tree(other, {name: packed[name] for name in packed if name != "list.1"})
