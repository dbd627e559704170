"""Weights of a network in one file: a line of JSON with its settings and hash, then the arrays.

Arrays are written by Equinox in NumPy's format, without pickle, and come back bit for bit.
"""

import dataclasses
import io
import json
from pathlib import Path
from typing import TypeVar

import equinox as eqx

from escapement_jax.config.encoder import EncoderConfig
from escapement_jax.io.reader import reader
from escapement_jax.training.digests import digest_of

_MAGIC = "escapement network weights 1"

Network = TypeVar("Network", bound=eqx.Module)


def network_settings(config: EncoderConfig, num_levels: int) -> dict[str, object]:
    """What must be the same for weights to fit: the encoder's settings and the time levels."""
    names = [field.name for field in dataclasses.fields(EncoderConfig)]
    values = {name: getattr(config, name) for name in names}
    scales = list(values.pop("length_scales"))
    return values | {"length_scales": scales, "time_levels": num_levels}


def save_weights(path: Path, network: eqx.Module, settings: dict[str, object]) -> str:
    """Write a network and return the SHA-256 of its arrays.

    Args:
        path: file to write; it appears whole or not at all.
        network: what to write.
        settings: of the network, written beside it.
    """
    buffer = io.BytesIO()
    eqx.tree_serialise_leaves(buffer, network)
    payload = buffer.getvalue()
    digest = digest_of(payload)
    header = {"format": _MAGIC, "sha256": digest, "settings": settings}
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(json.dumps(header).encode() + b"\n" + payload)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return digest


@reader
def load_weights(path: Path, like: Network, settings: dict[str, object]) -> Network:
    """Read the weights of a network of the same settings.

    Args:
        path: file written by `save_weights`.
        like: a network of the right shapes; its own weights are not used.
        settings: of the network.

    Raises:
        ValueError: the file is absent or not of this kind, was changed after it was written, or
            holds a network of other settings; the message names those that differ.
    """
    try:
        line, payload = Path(path).read_bytes().split(b"\n", 1)
        header = json.loads(line)
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file of weights") from None
    except ValueError:
        raise ValueError(f"{path}: not a file of network weights") from None
    if not isinstance(header, dict) or header.get("format") != _MAGIC:
        raise ValueError(f"{path}: not a file of network weights")
    if digest_of(payload) != header["sha256"]:
        raise ValueError(f"{path}: the weights do not match their hash; write the file again")
    differ = [
        f"{name} is {header['settings'].get(name)} there and {value} here"
        for name, value in settings.items()
        if header["settings"].get(name) != value
    ]
    if differ:
        raise ValueError(f"{path}: weights of another network: {'; '.join(differ)}")
    return eqx.tree_deserialise_leaves(io.BytesIO(payload), like)
