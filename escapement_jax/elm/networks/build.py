"""Networks by name."""

from typing import Literal

from escapement_jax.array_types import PRNGKey
from escapement_jax.elm.networks.attention import AttentionNetwork
from escapement_jax.elm.networks.base import AbstractNetwork
from escapement_jax.elm.networks.constant_channel import ConstantChannel
from escapement_jax.elm.networks.gated_network import GatedNetwork
from escapement_jax.elm.networks.global_epistasis import GlobalEpistasis
from escapement_jax.elm.networks.multilayer_perceptron import MultilayerPerceptron

NetworkName = Literal["mlp", "gated", "attention", "global-epistasis"]


def build_network(
    name: NetworkName,
    loci: int,
    width: int,
    traits: int,
    *,
    constant_channel: bool,
    key: PRNGKey,
) -> AbstractNetwork:
    """Return an untrained network, in single precision.

    Args:
        name: "mlp", "gated", "attention" or "global-epistasis".
        loci: length of a genotype.
        width: units of a hidden layer.
        traits: number of outputs.
        constant_channel: whether the network has biases; "global-epistasis" always has.
        key: random key of the initial weights.
    """
    biased = constant_channel or name == "global-epistasis"
    inputs = loci + biased
    if name == "global-epistasis":
        network = GlobalEpistasis(inputs, traits, key=key)
    elif name == "mlp":
        network = MultilayerPerceptron(inputs, width, traits, key=key)
    elif name == "gated":
        network = GatedNetwork(inputs, width, traits, key=key)
    else:
        network = AttentionNetwork(inputs, width, traits, key=key)
    return ConstantChannel(network) if biased else network
