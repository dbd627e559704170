"""Pruning against a slow oracle, and attachments as ratios of whole-tree likelihoods.

All arrays have room for `SIZE` haplotypes, so that one compilation serves trees of any size.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.model import pruning
from escapement_jax.genealogy.model.local_trees import ABSENT
from escapement_jax.genealogy.model.merge_order import merge_order
from escapement_jax.genealogy.model.mutation_model import leaf_likelihood, mutation_model
from tests.reference.level_matrices import partial_tree, root_level
from tests.reference.pruned_trees import graft_everywhere, haplotype_beside, lineage_pruned
from tests.reference.pruning import level_matrix_log_likelihood

SIZE, LEVELS = 6, 5
TIMES = np.array([40.0, 220.0, 800.0, 2800.0, 11000.0])
ROOT_DERIVED = 0.02

site_log_likelihood = jax.jit(pruning.site_log_likelihood)
attachment_likelihood = jax.jit(pruning.attachment_likelihood)


@jax.jit
def attach_clade(pruned, alleles, scaled_times, model):
    order = merge_order(pruned.forest, scaled_times.shape[0])
    leaves = leaf_likelihood(alleles, model.genotype_error)
    return pruning.attach_clade(order, pruned, leaves, scaled_times, model.root_prior)


def reference(tree, present, alleles, rate, error):
    """Log-likelihood by the oracle, absent haplotypes cut out."""
    members = np.flatnonzero(present)
    return level_matrix_log_likelihood(
        tree[np.ix_(members, members)],
        TIMES,
        alleles[members],
        mutation_rate=rate,
        genotype_error=error,
        derived_root=ROOT_DERIVED,
    )


@st.composite
def sites(draw, smallest=1, largest=SIZE - 1):
    """A tree of some haplotypes, alleles of all, a mutation rate and a genotype error."""
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    num_present = draw(st.integers(smallest, largest))
    tree, present = partial_tree(generator, SIZE, num_present, LEVELS)
    alleles = generator.integers(-1, 2, SIZE).astype(np.int8)
    error = draw(st.sampled_from([0.0, 0.01]))
    return tree, present, alleles, draw(st.sampled_from([1e-8, 1e-5, 1e-3])), error


@given(sites(largest=SIZE))
def test_site_likelihood_is_that_of_the_oracle(case):
    tree, present, alleles, rate, error = case
    model = mutation_model(ROOT_DERIVED, error)
    ours = site_log_likelihood(tree, present, alleles, rate * TIMES, model)
    np.testing.assert_allclose(ours, reference(*case), rtol=1e-11, atol=1e-13)


@given(sites(smallest=2))
def test_attachment_is_the_ratio_of_likelihoods(case):
    tree, present, alleles, rate, error = case
    model = mutation_model(ROOT_DERIVED, error)
    new = int(np.argmin(present))
    pruned = haplotype_beside(tree, present, new)
    ratio = attachment_likelihood(pruned, alleles, rate * TIMES, model)
    np.testing.assert_allclose(ratio, ratios_of_the_oracle(*case, new), rtol=1e-9)


@given(sites(largest=1))
def test_the_second_haplotype_counts_in_full(case):
    """For a tree of one haplotype the likelihood is that of the pair."""
    tree, present, alleles, rate, error = case
    model = mutation_model(ROOT_DERIVED, error)
    new = int(np.argmin(present))
    pruned = haplotype_beside(tree, present, new)
    ratio = attachment_likelihood(pruned, alleles, rate * TIMES, model)
    alone = np.exp(reference(*case))
    np.testing.assert_allclose(ratio, alone * ratios_of_the_oracle(*case, new), rtol=1e-9)


def ratios_of_the_oracle(tree, present, alleles, rate, error, new):
    """Likelihood with over likelihood without the new haplotype, for every (haplotype, level)."""
    pruned = haplotype_beside(tree, present, new)
    base = reference(tree, present, alleles, rate, error)
    return likelihoods_of_the_oracle(pruned, alleles, rate, error) / np.exp(base)


def likelihoods_of_the_oracle(pruned, alleles, rate, error):
    """Likelihood of the whole tree with the clade at every (haplotype, level) of the trunk."""
    grown, everyone = graft_everywhere(pruned, LEVELS), np.asarray(pruned.present)
    likelihoods = np.zeros((SIZE, LEVELS))
    for member in np.flatnonzero(pruned.trunk):
        for level in range(int(pruned.floor), LEVELS):
            whole = reference(grown[member, level], everyone, alleles, rate, error)
            likelihoods[member, level] = np.exp(whole)
    return likelihoods


@given(sites(smallest=2, largest=SIZE), st.data())
def test_a_clade_attached_has_the_likelihood_of_the_whole_tree(case, data):
    """The ratio, times tree and clade alone, is what pruning the grafted tree gives."""
    tree, present, alleles, rate, error = case
    haplotype = data.draw(st.sampled_from(np.flatnonzero(present).tolist()))
    floor = data.draw(st.integers(0, root_level(tree, present)))
    pruned = lineage_pruned(tree, present, haplotype, floor)
    model = mutation_model(ROOT_DERIVED, error)
    at = attach_clade(pruned, alleles, rate * TIMES, model)
    expected = likelihoods_of_the_oracle(pruned, alleles, rate, error)
    ours = np.asarray(at.ratio * jnp.exp(at.log_tree + at.log_clade))[:, floor:]
    np.testing.assert_allclose(ours, expected[:, floor:], rtol=1e-9)
    ratio = attachment_likelihood(pruned, alleles, rate * TIMES, model)
    np.testing.assert_allclose(ratio, at.ratio, rtol=1e-12)
    trunk = np.asarray(pruned.trunk)
    if trunk.sum() > 1:
        alone = reference(tree, trunk, alleles, rate, error)
        np.testing.assert_allclose(at.log_tree, alone, rtol=1e-9, atol=1e-12)


@given(sites(smallest=2))
def test_the_alleles_of_a_new_leaf_exhaust_the_possibilities(case):
    """Up to the root; above it the prior, which is not stationary, applies at a new root."""
    tree, present, alleles, rate, error = case
    model = mutation_model(ROOT_DERIVED, error)
    new = int(np.argmin(present))
    pruned = haplotype_beside(tree, present, new)
    ancestral, derived, missing = (
        np.asarray(attachment_likelihood(pruned, of_new, rate * TIMES, model))
        for of_new in (np.where(np.arange(SIZE) == new, np.int8(a), alleles) for a in (0, 1, -1))
    )
    np.testing.assert_allclose(ancestral + derived, missing, rtol=1e-12)
    np.testing.assert_allclose(missing[present, : root_level(tree, present) + 1], 1, rtol=1e-12)


def comb(size):
    """Haplotype `j` joins the lineage of the earlier ones at level `j - 1`."""
    later = np.maximum(*np.meshgrid(np.arange(size), np.arange(size), indexing="ij"))
    return np.where(np.eye(size, dtype=bool), -1, later - 1).astype(np.int8)


@pytest.mark.parametrize("rate", [1.25e-8, 1e-10])
@pytest.mark.parametrize("alternating", [True, False])
def test_single_precision_stands_many_mutations(rate, alternating):
    """Eight alleles of each kind that no branch of a comb separates, and that one does."""
    size = 16
    tree, present = comb(size), np.ones(size, bool)
    order = np.arange(size)
    alleles = (order % 2 if alternating else order < size // 2).astype(np.int8)
    times = rate * np.geomspace(20.0, 1e5, size)
    model = mutation_model(ROOT_DERIVED)
    single = jax.tree.map(partial(jnp.asarray, dtype=jnp.float32), (times, model))
    exact = site_log_likelihood(tree, present, alleles, times, model)
    np.testing.assert_allclose(
        site_log_likelihood(tree, present, alleles, *single), exact, rtol=1e-5
    )
    rest = present & (order < size - 1)
    tree = np.where(rest[:, None] & rest[None, :], tree, ABSENT).astype(np.int8)
    pruned = haplotype_beside(tree, rest, size - 1)
    exact = attachment_likelihood(pruned, alleles, times, model)
    rounded = attachment_likelihood(pruned, alleles, *single)
    assert np.isfinite(rounded).all()
    np.testing.assert_allclose(rounded, exact, rtol=1e-3)


@jax.jit
def weighted_likelihoods(times, tree, present, pruned):
    """A number that depends on the likelihood of a site and on that of every attachment."""
    alleles = jnp.asarray([0, 1, 1, 0, -1, 1], jnp.int8)
    model = mutation_model(ROOT_DERIVED, 0.01)
    weights = jnp.linspace(0.1, 1.0, SIZE * LEVELS).reshape(SIZE, LEVELS)
    site = pruning.site_log_likelihood(tree, present, alleles, times, model)
    alleles = jnp.where(pruned.clade, jnp.int8(1), alleles)
    places = pruning.attachment_likelihood(pruned, alleles, times, model)
    return site + (weights * places).sum()


@pytest.mark.parametrize("num_present", [2, 4, SIZE - 1])
def test_gradients_are_finite_differences(num_present):
    """With respect to the times, absent haplotypes of either allele included."""
    generator = np.random.default_rng(num_present)
    tree, present = partial_tree(generator, SIZE, num_present, LEVELS)
    inputs = (tree, present, haplotype_beside(tree, present, int(np.argmin(present))))
    times = jnp.asarray([0.05, 0.1, 0.3, 0.6, 1.1])
    gradient = jax.grad(weighted_likelihoods)(times, *inputs)
    steps = 1e-5 * np.eye(LEVELS)
    differences = [
        weighted_likelihoods(times + step, *inputs) - weighted_likelihoods(times - step, *inputs)
        for step in steps
    ]
    np.testing.assert_allclose(gradient, np.array(differences) / 2e-5, rtol=1e-6, atol=1e-8)


def test_batches_agree_with_single_sites():
    generator = np.random.default_rng(0)
    tree, present = partial_tree(generator, SIZE, 5, LEVELS)
    alleles = generator.integers(-1, 2, (4, SIZE)).astype(np.int8)
    args = (1e-5 * TIMES, mutation_model(ROOT_DERIVED))
    in_axes = (None, None, 0, None, None)
    batch = jax.jit(jax.vmap(pruning.site_log_likelihood, in_axes))(tree, present, alleles, *args)
    singles = [site_log_likelihood(tree, present, row, *args) for row in alleles]
    np.testing.assert_allclose(batch, singles, rtol=1e-13)
