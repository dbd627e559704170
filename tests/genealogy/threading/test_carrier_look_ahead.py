"""What carriers to come say of the age of a mutation, against the exact coalescent."""

from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.model.coalescent import death_process
from escapement_jax.genealogy.model.local_trees import ABSENT
from escapement_jax.genealogy.model.mutation_model import mutation_model
from escapement_jax.genealogy.model.pruned_tree import PrunedTree
from escapement_jax.genealogy.model.threading_model import threading_model
from escapement_jax.genealogy.threading.carrier_look_ahead import (
    FLOOR,
    CarrierLookAhead,
    carrier_chance,
    lineages_alone,
    site_potential,
)

SIZE = 9
INTENSITIES = np.array([0.03, 0.05, 0.1, 0.2, 0.4, 0.8, np.inf])
TIMES = 2e4 * (np.append(0, np.cumsum(INTENSITIES[:-1])) + 0.02)
LEVELS = TIMES.size

chances = jax.jit(carrier_chance)
potentials = jax.jit(site_potential)


@pytest.fixture(scope="module")
def model():
    return threading_model(TIMES, INTENSITIES, SIZE, mutation_model(0.02))


@pytest.fixture(scope="module")
def falls(model):
    return CarrierLookAhead.of(model).falls


def tree_of(trunk: list[int], threaded: int, joins: dict[tuple[int, int], int]) -> PrunedTree:
    """A trunk whose haplotypes coalesce at told levels, and a haplotype beside it."""
    forest = np.full((SIZE, SIZE), ABSENT, np.int8)
    for (first, second), level in joins.items():
        forest[first, second] = forest[second, first] = level
    present = np.isin(np.arange(SIZE), [*trunk, threaded])
    forest[present, present] = -1
    clade = np.arange(SIZE) == threaded
    zero = jnp.zeros((), jnp.int32)
    return PrunedTree(jnp.asarray(forest), jnp.asarray(clade), jnp.asarray(present), zero)


ALONE = tree_of([], 0, {})
THREE = tree_of([0, 1, 2], 3, {(0, 1): 2, (0, 2): 4, (1, 2): 4})


def integers(*values: int) -> jax.Array:
    return jnp.asarray(values, jnp.int32)


def potential(tree: PrunedTree, alleles: list[int], model) -> np.ndarray:
    threaded = jnp.argmax(tree.clade).astype(jnp.int32)
    falls = CarrierLookAhead.of(model).falls
    return np.asarray(potentials(tree, jnp.asarray(alleles, jnp.int8), threaded, model, falls))


@pytest.mark.parametrize(("tree", "below"), [(ALONE, 1), (THREE, 1), (THREE, 2)])
def test_numbers_of_carriers_have_a_law(tree, below, falls):
    """Carriers are below the point or not: the chances of all numbers add up to one."""
    unseen = SIZE - int(tree.present.sum())
    numbers = [integers(unseen - carriers, carriers) for carriers in range(unseen + 1)]
    every = [chances(tree, *integers(below), number, falls) for number in numbers]
    np.testing.assert_allclose(np.sum(every, axis=0), 1.0, rtol=1e-10)


def block_law(blocks: int) -> np.ndarray:
    """Law of the size of the block of a given haplotype, `M` blocks of `n` haplotypes.

    `b M / n C(n-b-1, M-2) / C(n-1, M-1)` for `b = 1 .. n` (Kingman 1982).
    """
    if blocks == 1:
        return np.eye(SIZE)[SIZE - 1]
    ways = [comb(SIZE - size - 1, blocks - 2) if size < SIZE else 0 for size in range(1, SIZE + 1)]
    return np.arange(1, SIZE + 1) * ways * blocks / SIZE / comb(SIZE - 1, blocks - 1)


def test_chance_is_that_of_the_coalescent(falls):
    """One haplotype and eight to come: its block at a given time has a known law."""
    unseen = SIZE - 1
    numbers = [integers(unseen - carriers, carriers) for carriers in range(SIZE)]
    found = np.stack([chances(ALONE, *integers(1), number, falls) for number in numbers], 1)
    laws = np.stack([block_law(blocks) for blocks in range(1, SIZE + 1)])
    blocks = np.eye(SIZE + 1)[SIZE]
    for level in range(LEVELS):
        np.testing.assert_allclose(found[level], blocks[1:] @ laws, atol=1e-9)
        blocks = blocks @ death_process(SIZE, INTENSITIES[level])


def test_lineages_to_come_fall_as_in_the_coalescent(falls):
    """Eight to come beside one that is there: `M - 1` of the `M` lineages in all."""
    found = lineages_alone(jnp.ones(LEVELS, jnp.int32), jnp.asarray(SIZE - 1, jnp.int32), falls)
    blocks = np.eye(SIZE + 1)[SIZE]
    for level in range(LEVELS):
        np.testing.assert_allclose(found[level], blocks[1:], atol=1e-9)
        blocks = blocks @ death_process(SIZE, INTENSITIES[level])


def test_a_new_allele_that_many_will_carry_is_old(model):
    few = potential(THREE, [0, 0, 0, 1, 0, 0, 0, 0, 0], model)
    many = potential(THREE, [0, 0, 0, 1, 1, 1, 1, 1, 0], model)
    assert (np.diff(few[0]) < 0).all()
    assert many[0].argmax() >= LEVELS - 2
    assert many[0].max() - many[0, 0] > 1


def test_a_shared_allele_that_few_will_carry_is_young(model):
    """Joining the carriers 0 and 1 below their ancestor changes nothing, above it leaves less."""
    logs = potential(THREE, [1, 1, 0, 1, 0, 0, 0, 0, 0], model)
    np.testing.assert_allclose(logs[0], logs[1])
    np.testing.assert_allclose(logs[0, :3], logs[0, 0])
    # Beside haplotype 2, or where its branch has been met, one mutation does not explain it.
    np.testing.assert_allclose(logs[2], np.log(FLOOR))
    np.testing.assert_allclose(logs[:3, 4:], np.log(FLOOR))


def test_one_who_does_not_carry_parts_the_branch(model):
    logs = potential(THREE, [1, 1, 0, 0, 0, 0, 0, 0, 0], model)
    np.testing.assert_allclose(logs[0, :2], np.log(FLOOR))
    np.testing.assert_allclose(logs[2], logs[2, 0])
    np.testing.assert_allclose(logs[0, 4:], logs[2, 4:])
    assert logs[0, 2] != logs[0, 3]


@pytest.mark.parametrize(
    ("tree", "alleles"),
    [
        pytest.param(THREE, [1, 0, 0, -1, 1, 1, 0, 0, 0], id="missing"),
        pytest.param(THREE, [0, 0, 0, 0, 1, 1, 0, 0, 0], id="nobody-derived"),
        pytest.param(THREE, [1, 0, 1, 0, 1, 1, 0, 0, 0], id="two-mutations"),
        pytest.param(THREE, [1, 0, 0, 1, -1, -1, -1, -1, -1], id="nobody-to-come"),
    ],
)
def test_sites_that_say_nothing(tree, alleles, model):
    np.testing.assert_array_equal(potential(tree, alleles, model), np.zeros((SIZE, LEVELS)))
