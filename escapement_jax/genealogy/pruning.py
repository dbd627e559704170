"""Exact pruning of one site on a local tree, from below and from above.

Messages are kept up to a constant, scaled so that the larger entry is one: what threading needs is
the posterior of the allele at a point of the tree, in which constants cancel. Entries are floored
far below anything that matters, since a tree that needs many mutations at one site would
underflow.
"""

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int8

from escapement_jax.array_types import HaplotypeMask, LevelMatrix, Levels, LineageMessage
from escapement_jax.genealogy.merge_order import MergeOrder, merge_order
from escapement_jax.genealogy.mutation_model import (
    MutationModel,
    along_branch,
    change_probability,
    leaf_likelihood,
)


class _Mergers(eqx.Module):
    """What the way up leaves at every merger: incoming messages, outgoing one, its log scale."""

    from_child: Float[Array, "*haplotypes 2"]
    from_parent: Float[Array, "*haplotypes 2"]
    message: Float[Array, "*haplotypes 2"]
    log_scale: Float[Array, "*haplotypes"]


class _Branches(eqx.Module):
    """Messages at both ends of the branch above every node; times are scaled by the rate."""

    below: Float[Array, "2 nodes"]
    bottom: Float[Array, " nodes"]
    above: Float[Array, "2 nodes"]
    top: Float[Array, " nodes"]


def _floor(dtype: jnp.dtype) -> float:
    return float(jnp.finfo(dtype).tiny) ** 0.45


def _upward(
    order: MergeOrder, leaves: Float[Array, "2 haplotypes"], scaled_times: Levels
) -> tuple[_Mergers, Float[Array, "2 haplotypes"]]:
    """Messages from the leaves, merger by merger; also the last message of every haplotype."""
    floor = _floor(leaves.dtype)

    def merge(carry, entry):
        messages, bottoms = carry
        child, parent, time, used = entry
        from_child = along_branch(messages[:, child], time - bottoms[child])
        from_parent = along_branch(messages[:, parent], time - bottoms[parent])
        product = from_child * from_parent
        scale = product.max()
        message = jnp.maximum(product / scale, floor)
        messages = messages.at[:, parent].set(jnp.where(used, message, messages[:, parent]))
        bottoms = bottoms.at[parent].set(jnp.where(used, time, bottoms[parent]))
        log_scale = jnp.where(used, jnp.log(scale), 0.0)
        return (messages, bottoms), _Mergers(from_child, from_parent, message, log_scale)

    start = (leaves, jnp.zeros_like(leaves[0]))
    entries = (order.child, order.parent, scaled_times[order.level], order.used)
    (messages, _), mergers = lax.scan(merge, start, entries)
    return mergers, messages


def _downward(
    order: MergeOrder,
    mergers: _Mergers,
    leaves: Float[Array, "2 haplotypes"],
    scaled_times: Levels,
    root_prior: Float[Array, " 2"],
) -> _Branches:
    """Messages from the rest of the tree to the top of every branch."""
    floor = _floor(leaves.dtype)
    times = scaled_times[order.level]
    last = order.used.sum() - 1

    def split(carry, entry):
        above, tops = carry
        index, child, parent, time, used, mergers = entry
        node = (above[:, parent], tops[parent])
        outside = jnp.where(index == last, root_prior, along_branch(node[0], node[1] - time))
        to_child, to_parent = outside * mergers.from_parent, outside * mergers.from_child
        to_child = jnp.maximum(to_child / to_child.max(), floor)
        to_parent = jnp.maximum(to_parent / to_parent.max(), floor)
        split_above = above.at[:, child].set(to_child).at[:, parent].set(to_parent)
        split_tops = tops.at[child].set(time).at[parent].set(time)
        return (jnp.where(used, split_above, above), jnp.where(used, split_tops, tops)), node

    start = (jnp.broadcast_to(root_prior[:, None], leaves.shape), jnp.zeros_like(times))
    indices = jnp.arange(times.shape[0])
    entries = (indices, order.child, order.parent, times, order.used, mergers)
    (above, tops), (node_above, node_tops) = lax.scan(split, start, entries, reverse=True)
    return _Branches(
        below=jnp.concatenate([leaves, mergers.message.T], 1),
        bottom=jnp.concatenate([jnp.zeros_like(times), times]),
        above=jnp.concatenate([above, node_above.T], 1),
        top=jnp.concatenate([tops, node_tops]),
    )


def _mix(
    message: Float[Array, " alleles *#shape"], change: Float[Array, "*#shape"]
) -> tuple[Float[Array, "*#shape"], Float[Array, "*#shape"]]:
    """Both entries of a message carried over a branch, broadcast against the change probability."""
    return (
        message[0] + change * (message[1] - message[0]),
        message[1] + change * (message[0] - message[1]),
    )


def attach_leaf(
    order: MergeOrder,
    present: HaplotypeMask,
    leaves: Float[Array, " alleles haplotypes"],
    new_leaf: Float[Array, " alleles"],
    scaled_times: Levels,
    root_prior: Float[Array, " alleles"],
) -> tuple[LineageMessage, Float[Array, ""]]:
    """Likelihood ratio of one more leaf at each position, and the log likelihood without it.

    On an existing branch the ratio is the posterior of the allele at that point times the
    likelihood of the new leaf; above the root the prior is re-rooted. For a tree of one haplotype
    the likelihood without the leaf counts as one, so that the first two haplotypes count in full.

    Args:
        order: mergers of the tree.
        present: haplotypes in the tree.
        leaves: likelihood of each leaf's genotype given its true allele.
        new_leaf: the same for the leaf that joins.
        scaled_times: mutation rate at the site times the representative time of each level.
        root_prior: probability of the ancestral, the derived allele at the root.

    Returns:
        Ratio for every (haplotype below the branch, level), 0 for absent haplotypes; and the log
        likelihood of the site on the tree.
    """
    mergers, messages = _upward(order, leaves, scaled_times)
    branches = _downward(order, mergers, leaves, scaled_times, root_prior)
    grown = order.used.any()
    first = jnp.argmax(present)
    root = jnp.where(grown, order.used.sum() - 1 + present.shape[0], first)
    is_root = (jnp.arange(branches.top.shape[0]) == root)[:, None]
    alone = jnp.where(grown, (messages[:, first] * root_prior).sum(), 1.0)

    # The two alleles are written out: a fused loop over an axis of two costs six times as much.
    change_below = change_probability(scaled_times[None, :] - branches.bottom[:, None])
    change_above = change_probability(branches.top[:, None] - scaled_times[None, :])
    below_0, below_1 = _mix(branches.below[:, :, None], change_below)
    above_0, above_1 = _mix(branches.above[:, :, None], change_above)
    point_0 = below_0 * jnp.where(is_root, root_prior[0], above_0)
    point_1 = below_1 * jnp.where(is_root, root_prior[1], above_1)
    new_0, new_1 = _mix(new_leaf[:, None], change_probability(scaled_times))
    joined = point_0 * new_0[None, :] + point_1 * new_1[None, :]
    ratio = joined / jnp.where(is_root, alone, point_0 + point_1)
    ratio = jnp.take_along_axis(ratio, order.node, 0)
    return jnp.where(present[:, None], ratio, 0.0), jnp.log(alone) + mergers.log_scale.sum()


def leaf_log_likelihood(
    order: MergeOrder,
    present: HaplotypeMask,
    leaves: Float[Array, " alleles haplotypes"],
    scaled_times: Levels,
    root_prior: Float[Array, " alleles"],
) -> Float[Array, ""]:
    """Log probability of the leaves of a tree: the root prior times the message at the root.

    Source:
        Felsenstein (1981), J. Mol. Evol. 17, 368-376.
    """
    mergers, messages = _upward(order, leaves, scaled_times)
    root = messages[:, jnp.argmax(present)]
    return jnp.log((root * root_prior).sum()) + mergers.log_scale.sum()


def attachment_likelihood(
    tree: LevelMatrix,
    present: HaplotypeMask,
    alleles: Int8[Array, " haplotypes"],
    new_allele: Int8[Array, ""],
    scaled_times: Levels,
    model: MutationModel,
) -> LineageMessage:
    """Likelihood ratio of a site when one more haplotype joins the tree at each position.

    `p(site | tree with the haplotype at (x, k)) / p(site | tree)`; see `attach_leaf`.

    Args:
        tree: level matrix of the tree.
        present: haplotypes in the tree.
        alleles: genotypes at the site (0, 1, or -1 for missing).
        new_allele: genotype of the haplotype that joins.
        scaled_times: mutation rate at the site times the representative time of each level.
        model: root prior and genotype error.

    Returns:
        Ratio for every (haplotype below the branch, level); 0 for absent haplotypes.
    """
    order = merge_order(tree, scaled_times.shape[0])
    leaves = leaf_likelihood(alleles, model.genotype_error)
    new_leaf = leaf_likelihood(new_allele, model.genotype_error)
    return attach_leaf(order, present, leaves, new_leaf, scaled_times, model.root_prior)[0]


def site_log_likelihood(
    tree: LevelMatrix,
    present: HaplotypeMask,
    alleles: Int8[Array, " haplotypes"],
    scaled_times: Levels,
    model: MutationModel,
) -> Float[Array, ""]:
    """Log probability of the genotypes at a site on a tree; see `leaf_log_likelihood`.

    Args:
        tree: level matrix of the tree.
        present: haplotypes in the tree.
        alleles: genotypes at the site (0, 1, or -1 for missing).
        scaled_times: mutation rate at the site times the representative time of each level.
        model: root prior and genotype error.
    """
    order = merge_order(tree, scaled_times.shape[0])
    leaves = leaf_likelihood(alleles, model.genotype_error)
    return leaf_log_likelihood(order, present, leaves, scaled_times, model.root_prior)
