"""Weights come back bit for bit, and nothing else passes for them."""

import json

import equinox as eqx
import jax
import numpy as np
import pytest

from escapement_jax.config.encoder import EncoderConfig
from escapement_jax.io.network_weights import load_weights, network_settings, save_weights

SETTINGS = network_settings(EncoderConfig(), 16)


def network(seed):
    return eqx.nn.Linear(3, 2, key=jax.random.key(seed))


def test_weights_come_back_bit_for_bit(tmp_path):
    digest = save_weights(tmp_path / "weights.eqx", network(0), SETTINGS)
    assert len(digest) == 64
    back = load_weights(tmp_path / "weights.eqx", network(1), SETTINGS)
    np.testing.assert_array_equal(back.weight, network(0).weight)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.eqx"]


def test_other_files_and_changed_weights_are_refused(tmp_path):
    path = tmp_path / "weights.eqx"
    with pytest.raises(ValueError, match="no such file"):
        load_weights(path, network(0), SETTINGS)
    path.write_bytes(b"\x80\x04pickled\nnonsense")
    with pytest.raises(ValueError, match="not a file of network weights"):
        load_weights(path, network(0), SETTINGS)
    save_weights(path, network(0), SETTINGS)
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(bytes(changed))
    with pytest.raises(ValueError, match="do not match their hash"):
        load_weights(path, network(0), SETTINGS)


def test_a_header_that_lacks_its_hash_is_refused_by_name(tmp_path):
    path = tmp_path / "weights.eqx"
    save_weights(path, network(0), SETTINGS)
    header, payload = path.read_bytes().split(b"\n", 1)
    told = json.loads(header)
    del told["sha256"]
    path.write_bytes(json.dumps(told).encode() + b"\n" + payload)
    with pytest.raises(ValueError, match=r"weights\.eqx: .*sha256"):
        load_weights(path, network(0), SETTINGS)


def test_weights_of_another_network_are_refused_by_name(tmp_path):
    save_weights(tmp_path / "weights.eqx", network(0), SETTINGS)
    other = network_settings(EncoderConfig(d_model=32), 16)
    with pytest.raises(ValueError, match="d_model is 64 there and 32 here"):
        load_weights(tmp_path / "weights.eqx", network(0), other)
