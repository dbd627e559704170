"""Targets for the network, and how it is trained towards them: three warm starts in one.

A *target* says how probable every state and every break of a genome is. Under a twisted chain its
expected log probability,

    E[log q] = sum_l E[psi_l(z_l)] + E[c_l b_l] - E[log Z_l(z_{l-1})] + const,

is concave in the potentials, and needs nothing but these marginals. Its maximum is

- the exact look-ahead, if the target is the exact posterior (distillation);
- the posterior of the simulator on average, if targets are simulated genealogies ("mainspring");
- as near as a twisted chain comes to given topologies, if they are those of a tree sequence.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import tskit
from jaxtyping import Array, Float

from escapement_jax.genealogy.copying.copying_model import CopyingModel, has_others
from escapement_jax.genealogy.copying.copying_tables import PairCounts
from escapement_jax.genealogy.encoder.potentials import Potentials, StatePotentials
from escapement_jax.genealogy.variational.look_ahead import emission_potentials, exact_look_ahead
from escapement_jax.genealogy.variational.twisted_chain import (
    first_normaliser,
    twist,
    twisted_marginals,
)


class Target(eqx.Module):
    """Marginal probabilities of a genome's copying path.

    Attributes:
        states: of every parent and level, in every bin.
        breaks: of a break on the way into every bin.
    """

    states: StatePotentials
    breaks: Float[Array, "bins haplotypes"]


def expected_log_probability(
    model: CopyingModel, potentials: Potentials, target: Target
) -> Float[Array, " haplotypes"]:
    """`E[log q]` under a target, up to a constant.

    Args:
        model: the copying model.
        potentials: of `q`.
        target: marginals.

    Returns:
        Natural logarithms, for every haplotype.
    """
    twists = jax.vmap(functools.partial(twist, model))(
        model.bins, potentials.states, potentials.breaks
    )
    gained = jnp.sum(target.states * twists.log_weights, axis=(0, 2, 3))
    gained += jnp.sum((target.breaks * potentials.breaks)[1:], axis=0)
    paid = jnp.sum(target.states[:-1] * jnp.log(twists.normaliser[1:]), axis=(0, 2, 3))
    first = jax.tree.map(lambda leaf: leaf[0], twists)
    paid += jnp.log(first_normaliser(model, first))
    return jnp.where(has_others(model), gained - paid, 0.0)


@eqx.filter_jit
def posterior_target(model: CopyingModel, counts: PairCounts) -> Target:
    """The exact posterior of the copying model; no simulation needed."""
    states = emission_potentials(model, counts) + exact_look_ahead(model, counts)
    exact = Potentials(states, jnp.zeros(states.shape[:2], states.dtype))
    return Target(*twisted_marginals(model, counts, exact))


def closest_earlier(
    tree_sequence: tskit.TreeSequence, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which earlier haplotypes each haplotype is closest to, and since when, along a genome.

    Args:
        tree_sequence: genealogy whose samples are the haplotypes, in order.
        places: positions at which to look, base pairs, rising.

    Returns:
        `closest` [places, haplotypes, parents], True for all parents that share the most recent
        common ancestor, and `times` [places, haplotypes] of that ancestor; none for the first.

    Raises:
        ValueError: a place where haplotypes have no common ancestor.
    """
    samples = tree_sequence.samples()
    num = len(samples)
    closest = np.zeros((len(places), num, num), bool)
    times = np.zeros((len(places), num))
    tree = tskit.Tree(tree_sequence)
    seen = -1
    for row, place in enumerate(places):
        tree.seek(place)
        if tree.index == seen:
            closest[row], times[row] = closest[row - 1], times[row - 1]
            continue
        closest[row], times[row] = _closest_in(tree, samples)
        seen = tree.index
    return closest, times


def _closest_in(tree: tskit.Tree, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if tree.num_roots != 1:
        raise ValueError(
            f"the haplotypes have no common ancestor at {tree.interval.left:g}; the tree sequence "
            "must cover the region, with one root in each tree"
        )
    num = len(samples)
    ancestors = np.full((num, num), np.inf)
    for i in range(num):
        for j in range(i):
            ancestors[i, j] = tree.tmrca(samples[i], samples[j])
    nearest = np.append(0.0, ancestors[1:].min(axis=1)) if num > 1 else np.zeros(num)
    return np.isfinite(ancestors) & (ancestors == nearest[:, None]), nearest


def simulated_target(
    closest: np.ndarray, times: np.ndarray, edges: Float[Array, " levels"]
) -> Target:
    """A known genealogy as a target: the closest earlier haplotypes alike, at their level.

    Args:
        closest: from `closest_earlier` [bins, haplotypes, parents].
        times: likewise [bins, haplotypes], generations.
        edges: lower edges of the levels.
    """
    levels = np.searchsorted(np.asarray(edges), times, side="right") - 1
    at_level = np.eye(len(edges))[levels]
    parents = closest / np.maximum(closest.sum(axis=2, keepdims=True), 1)
    return _target(parents[:, :, :, None] * at_level[:, :, None, :], closest, times)


def topology_target(
    closest: np.ndarray, times: np.ndarray, model: CopyingModel, emissions: StatePotentials
) -> Target:
    """Topologies as a target: parents from the trees, levels from the data of each stretch.

    The times of an inferred topology are not dates: where the closest relatives stay the same, the
    level has the probability `entry(t) prod e(j, t)` over the bins of that stretch.

    Args:
        closest: from `closest_earlier`.
        times: likewise; only where they change matters.
        model: the copying model.
        emissions: `emission_potentials` of the data.
    """
    target = _target(np.zeros_like(closest, float)[..., None], closest, times)
    breaks = np.asarray(target.breaks)
    entry = np.log(np.maximum(np.asarray(model.entry), 1e-300))
    log_emission = np.asarray(emissions, float)
    states = np.zeros(log_emission.shape)
    for i in range(1, closest.shape[1]):
        starts = np.append(np.append(0, np.flatnonzero(breaks[1:, i]) + 1), len(closest))
        for start, stop in zip(starts[:-1], starts[1:], strict=True):
            parents = closest[start, i] / closest[start, i].sum()
            weights = log_emission[start:stop, i].sum(axis=0) + entry[i][None]
            best = weights.max(axis=1, keepdims=True)
            law = np.exp(weights - best)
            law /= law.sum(axis=1, keepdims=True)
            states[start:stop, i] = parents[:, None] * law
    return Target(jnp.asarray(states, dtype=float), target.breaks)


def _target(states: np.ndarray, closest: np.ndarray, times: np.ndarray) -> Target:
    breaks = np.zeros(times.shape)
    same = np.all(closest[1:] == closest[:-1], axis=2) & (times[1:] == times[:-1])
    breaks[1:] = ~same
    return Target(jnp.asarray(states, dtype=float), jnp.asarray(breaks, dtype=float))
