"""Every network: exact reconstruction, values that detaching leaves alone, monotone links."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.elm.linear_map.jacobian import (
    equivalent_linear_map,
    jacobians,
    reconstruction_error,
)
from escapement_jax.elm.networks import ConstantChannel, MultilayerPerceptron, build_network
from escapement_jax.elm.networks.layers import gate

NAMES = ("mlp", "gated", "attention", "global-epistasis")
LOCI, TRAITS = 6, 3


def double(network):
    return jax.tree.map(
        lambda leaf: leaf.astype(jnp.float64) if eqx.is_inexact_array(leaf) else leaf, network
    )


def network_named(name, constant_channel):
    key = jax.random.key(3)
    return double(build_network(name, LOCI, 16, TRAITS, constant_channel=constant_channel, key=key))


def genotypes(individuals=12, seed=0):
    return jnp.asarray(np.random.default_rng(seed).choice([-1.0, 1.0], (individuals, LOCI)))


@pytest.mark.parametrize("constant_channel", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_the_linear_map_rebuilds_the_output(name, constant_channel):
    network = network_named(name, constant_channel)
    assert float(reconstruction_error(network, genotypes())) < 1e-12


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_plain_jacobian_does_not_rebuild_a_smooth_network(name):
    """Otherwise the test above would say nothing about detaching."""
    network = network_named(name, constant_channel=True)
    x = genotypes()
    rebuilt = jnp.einsum("ntl,nl->nt", jacobians(network, x), x)
    offset = jax.vmap(lambda row: equivalent_linear_map(network, row).offset)(x)
    assert float(jnp.max(jnp.abs(rebuilt + offset - jax.vmap(network)(x)))) > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_detaching_leaves_the_value_alone(name):
    network, x = network_named(name, constant_channel=True), genotypes()[0]
    np.testing.assert_allclose(network(x, detach=True), network(x), rtol=0, atol=1e-14)


def test_sensitivities_are_derivatives():
    """Central differences at a point where no unit of the perceptron is near its kink."""
    network = network_named("gated", constant_channel=True)
    x, step = genotypes()[:1], 1e-6
    slopes = [
        (network(x[0].at[i].add(step)) - network(x[0].at[i].add(-step))) / (2 * step)
        for i in range(LOCI)
    ]
    np.testing.assert_allclose(jacobians(network, x)[0], jnp.stack(slopes, axis=1), atol=1e-8)


def test_forward_and_backward_differentiation_agree():
    """With more traits than inputs the other direction is taken."""
    network = double(MultilayerPerceptron(2, 8, 5, key=jax.random.key(0)))
    x = jnp.asarray([[1.0, -1.0]])
    expected = jax.jacrev(network)(x[0])
    np.testing.assert_allclose(jacobians(network, x)[0], expected, atol=1e-14)


def test_the_perceptron_is_homogeneous_and_forgets_its_scale_with_biases():
    plain = network_named("mlp", constant_channel=False)
    biased = network_named("mlp", constant_channel=True)
    x = genotypes()[0]
    np.testing.assert_allclose(plain(3.0 * x), 3.0 * plain(x), rtol=1e-12)
    assert float(jnp.max(jnp.abs(biased(3.0 * x) - 3.0 * biased(x)))) > 1e-3


def test_a_bias_is_the_weight_of_the_constant_channel():
    inner = double(MultilayerPerceptron(LOCI + 1, 8, TRAITS, key=jax.random.key(1)))
    x = genotypes()[0]
    first, second, third = (np.asarray(layer.weight) for layer in inner.layers)

    def leaky(z):
        return np.where(z > 0, z, 0.01 * z)

    expected = leaky(leaky(np.asarray(x) @ first[:-1] + first[-1]) @ second) @ third
    np.testing.assert_allclose(ConstantChannel(inner)(x), expected, rtol=1e-12)


def test_the_link_of_global_epistasis_rises_with_the_score():
    network = network_named("global-epistasis", constant_channel=True)
    x = genotypes(40)
    score = x @ network.inner.score.weight
    output = jax.vmap(network)(x)
    for trait in range(TRAITS):
        ordered = output[jnp.argsort(score[:, trait]), trait]
        assert bool(jnp.all(jnp.diff(ordered) >= 0))


def test_a_gate_at_zero_is_zero_and_finite():
    value, slope = jax.value_and_grad(lambda z: gate(jnp.tanh, z, detach=True))(0.0)
    assert float(value) == 0.0
    assert np.isfinite(float(slope))
