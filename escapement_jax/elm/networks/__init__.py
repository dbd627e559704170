"""Networks from genotypes to phenotypes whose output is an exact linear map of the input."""

from escapement_jax.elm.networks.attention import AttentionNetwork as AttentionNetwork
from escapement_jax.elm.networks.base import AbstractNetwork as AbstractNetwork
from escapement_jax.elm.networks.build import build_network as build_network
from escapement_jax.elm.networks.constant_channel import ConstantChannel as ConstantChannel
from escapement_jax.elm.networks.gated_network import GatedNetwork as GatedNetwork
from escapement_jax.elm.networks.global_epistasis import GlobalEpistasis as GlobalEpistasis
from escapement_jax.elm.networks.multilayer_perceptron import (
    MultilayerPerceptron as MultilayerPerceptron,
)
