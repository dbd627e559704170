"""The encoder: what must not matter does not, and the band costs no accuracy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.encoder import EncoderConfig
from escapement_jax.genealogy.encoder.attention import banded, dense
from escapement_jax.genealogy.encoder.encoder import GenealogyEncoder
from escapement_jax.genealogy.encoder.heads import (
    PotentialNetwork,
    copying_probabilities,
)
from escapement_jax.genealogy.encoder.pair_features import pair_features
from escapement_jax.genealogy.encoder.site_columns import SiteColumns

CONFIG = EncoderConfig(d_model=8, num_heads=2, num_layers=2, window=3, length_scales=(1e3, 1e4))
NUM_HAPLOTYPES, NUM_SITES = 4, 11
PLACES = jnp.array([500.0, 4_000.0, 9_000.0, 60_000.0])
TIMES = jnp.array([100.0, 2_000.0, 30_000.0])


def example(seed=0, num_sites=NUM_SITES, missing=0.1):
    generator = np.random.default_rng(seed)
    haplotypes = generator.integers(0, 2, (num_sites, NUM_HAPLOTYPES)).astype(np.int8)
    haplotypes[generator.random(haplotypes.shape) < missing] = -1
    return haplotypes, np.sort(generator.uniform(0, 20_000, num_sites))


HAPLOTYPES, POSITIONS = example()
COLUMNS = SiteColumns.from_haplotypes(HAPLOTYPES, POSITIONS)
ENCODER = GenealogyEncoder(CONFIG, key=jax.random.key(0))
NETWORK = PotentialNetwork(CONFIG, 3, key=jax.random.key(1))


@jax.jit
def look(columns):
    return pair_features(columns, PLACES, CONFIG.length_scales)


@jax.jit
def encode(columns):
    return ENCODER(columns, look(columns))


def test_permuting_haplotypes_permutes_the_output():
    order = np.array([2, 0, 3, 1])
    permuted = encode(SiteColumns.from_haplotypes(HAPLOTYPES[:, order], POSITIONS))
    np.testing.assert_allclose(permuted, encode(COLUMNS)[order], atol=1e-12)


def test_padding_changes_nothing():
    padded = SiteColumns.from_haplotypes(HAPLOTYPES, POSITIONS, num_sites=17)
    hidden = encode(padded)
    assert np.isfinite(hidden).all()
    np.testing.assert_allclose(hidden[:, :NUM_SITES], encode(COLUMNS), atol=1e-12)
    for here, there in zip(
        (look(padded).beyond, look(padded).next_site),
        (look(COLUMNS).beyond, look(COLUMNS).next_site),
        strict=True,
    ):
        np.testing.assert_allclose(here, there, atol=1e-12)


def test_distances_matter_but_not_where_the_window_starts():
    hidden = encode(COLUMNS)
    stretched = encode(SiteColumns.from_haplotypes(HAPLOTYPES, 3 * POSITIONS))
    assert np.abs(stretched - hidden).max() > 1e-3
    moved = encode(SiteColumns.from_haplotypes(HAPLOTYPES, POSITIONS + 5_000.0))
    np.testing.assert_allclose(moved, hidden, atol=1e-9)


@pytest.mark.parametrize(("num_sites", "window"), [(11, 3), (3, 4), (11, 4), (9, 1)])
def test_band_in_chunks_equals_the_masked_matrix(num_sites, window):
    keys = jax.random.split(jax.random.key(num_sites), 3)
    heads = [jax.random.normal(key, (2, num_sites, 3, 4)) for key in keys]
    positions = jnp.cumsum(jnp.linspace(10.0, 900.0, num_sites))
    real = jnp.arange(num_sites) < num_sites - 1
    rates = jnp.array([[0.1, 0.5, 2.0], [0.3, 0.0, 1.0]])
    arguments = (*heads, positions, real, rates, window)
    short = jax.jit(banded, static_argnums=6)(*arguments)
    long = jax.jit(dense, static_argnums=6)(*arguments)
    np.testing.assert_allclose(short[:, real], long[:, real], atol=1e-12)

    def total(attend):
        return jax.jit(
            jax.grad(lambda value: attend(*heads[:2], value, *arguments[3:])[:, :-1].sum())
        )

    np.testing.assert_allclose(total(banded)(heads[2]), total(dense)(heads[2]), atol=1e-12)


def test_sites_beyond_the_band_are_not_seen():
    keys = jax.random.split(jax.random.key(1), 3)
    heads = [jax.random.normal(key, (1, 9, 1, 2)) for key in keys]
    rest = (jnp.arange(9.0), jnp.ones(9, bool), jnp.zeros((2, 1)), 2)
    slope = jax.jacobian(lambda value: banded(*heads[:2], value, *rest)[0, :, 0, 0])(heads[2])
    reached = np.abs(slope[:, 0, :, 0, 0]) > 0
    distance = np.abs(np.arange(9)[:, None] - np.arange(9)[None, :])
    np.testing.assert_array_equal(reached, distance <= 2)


def test_pair_features_are_sums_over_the_sites_ahead():
    features = look(COLUMNS)
    known = HAPLOTYPES >= 0
    for bin_index, place in enumerate(np.asarray(PLACES)):
        for i, j in ((0, 1), (2, 3)):
            differ = (HAPLOTYPES[:, i] != HAPLOTYPES[:, j]) & known[:, i] & known[:, j]
            ahead = POSITIONS[differ & (POSITIONS >= place)]
            sums = [np.exp(-(ahead - place) / scale).sum() for scale in CONFIG.length_scales]
            seen = features.beyond[bin_index, i, j]
            np.testing.assert_allclose(seen[:2], np.log1p(sums), rtol=1e-9)
            nearest = (ahead[0] if ahead.size else POSITIONS[-1] + 1e4) - place
            distance = np.log1p(max(nearest, 0.0) / 1_000.0)
            np.testing.assert_allclose(seen[2], distance, rtol=1e-9)


def test_features_to_the_left_mirror_those_to_the_right():
    mirrored = SiteColumns.from_haplotypes(HAPLOTYPES[::-1], 2e4 - POSITIONS[::-1])
    forward, backward = look(COLUMNS).at_sites, look(mirrored).at_sites[::-1]
    half = forward.shape[-1] // 2
    np.testing.assert_allclose(backward[..., :half], forward[..., half:], rtol=1e-9)


def test_untrained_potentials_are_zero_and_every_weight_can_learn():
    features = look(COLUMNS)
    potentials = eqx.filter_jit(NETWORK)(COLUMNS, features, TIMES)
    assert potentials.states.shape == (4, NUM_HAPLOTYPES, NUM_HAPLOTYPES, 3)
    assert not potentials.states.any()
    assert not potentials.breaks.any()

    def objective(network):
        both = network(COLUMNS, features, TIMES)
        weights = jnp.arange(both.states.size, dtype=float).reshape(both.states.shape)
        return jnp.sum((both.states - 0.01 * weights) ** 2) + jnp.sum((both.breaks - 1.0) ** 2)

    network, slopes = NETWORK, []
    slope_of = eqx.filter_jit(jax.grad(objective))
    for _ in range(2):  # zero last layers let gradients through after one step
        gradient = slope_of(network)
        network = jax.tree.map(lambda a, b: a - 1e-3 * b, network, gradient)
        slopes.append(gradient)
    assert all(np.any(slope) for slope in jax.tree.leaves(slopes[1].heads))
    assert all(np.any(slope) for slope in jax.tree.leaves(slopes[1].encoder.layers[1].narrow))


def test_parents_are_earlier_haplotypes_unless_all_are_asked_for():
    """The potentials of a pair are the same in both, and move with the haplotypes."""
    network = eqx.tree_at(
        lambda network: network.heads.states.weight,
        NETWORK,
        jax.random.normal(jax.random.key(2), NETWORK.heads.states.weight.shape),
    )

    @eqx.filter_jit
    def states(columns, all_pairs):
        return network(columns, look(columns), TIMES, all_pairs=all_pairs).states

    everything, earlier = states(COLUMNS, True), states(COLUMNS, False)
    before = np.tri(NUM_HAPLOTYPES, k=-1, dtype=bool)
    np.testing.assert_allclose(earlier[:, before], everything[:, before], rtol=1e-12)
    assert not earlier[:, ~before].any()
    assert np.abs(everything[:, ~before]).min() > 0
    order = np.array([2, 0, 3, 1])
    permuted = states(SiteColumns.from_haplotypes(HAPLOTYPES[:, order], POSITIONS), True)
    np.testing.assert_allclose(permuted, everything[:, order][:, :, order], atol=1e-12)


def test_attention_is_read_as_copying_probabilities_of_earlier_haplotypes():
    attention = jax.jit(lambda columns: ENCODER.attention(columns, look(columns)))(COLUMNS)
    np.testing.assert_allclose(attention.sum(axis=-1), 1.0, rtol=1e-12)
    earlier = jnp.tri(NUM_HAPLOTYPES, k=-1, dtype=bool)
    probabilities = copying_probabilities(attention, earlier)
    assert not probabilities[:, ~earlier].any()
    np.testing.assert_allclose(probabilities[:, 1:].sum(axis=-1), 1.0, rtol=1e-12)
    assert not probabilities[:, 0].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_sites": 3}, "11 sites do not fit into 3"),
        ({"positions": POSITIONS[::-1]}, "do at site 1; sort"),
    ],
)
def test_unsound_columns_are_refused(change, message):
    arguments = {"haplotypes": HAPLOTYPES, "positions": POSITIONS} | change
    with pytest.raises(ValueError, match=message):
        SiteColumns.from_haplotypes(**arguments)


def test_unsound_settings_are_refused():
    with pytest.raises(ValueError, match=r"multiple of num_heads \(4\)"):
        EncoderConfig(d_model=30)
    with pytest.raises(ValueError, match="length_scales"):
        EncoderConfig(length_scales=())
