"""Exact pruning of one site on a local tree, from below and from above.

Messages are kept up to a constant, scaled so that the larger entry is one: what threading needs is
the posterior of the allele at a point of the tree, in which constants cancel. Entries are floored
far below anything that matters, since a tree that needs many mutations at one site would
underflow.
"""

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Int8

from escapement_jax.array_types import HaplotypeMask, LevelMatrix, Levels, LineageMessage
from escapement_jax.genealogy.model.merge_order import MergeOrder, merge_order
from escapement_jax.genealogy.model.mutation_model import (
    MutationModel,
    along_branch,
    change_probability,
    leaf_likelihood,
)
from escapement_jax.genealogy.model.pruned_tree import PrunedTree


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
    last: Int[Array, ""],
) -> _Branches:
    """Messages from the rest of the tree to the top of every branch; `last` is its root."""
    floor = _floor(leaves.dtype)
    times = scaled_times[order.level]

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
    indices = jnp.arange(times.shape[0], dtype=jnp.int32)
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


class Attachment(eqx.Module):
    """A site with a clade beside a tree that it may join.

    Attributes:
        ratio: likelihood ratio of the site with the clade at each (haplotype below the branch,
            level), the clade's own likelihood scaled; 0 for haplotypes that are not in the tree.
        log_tree: log likelihood of the tree alone.
        log_clade: log scale of the clade's own likelihood.
    """

    ratio: LineageMessage
    log_tree: Float[Array, ""]
    log_clade: Float[Array, ""]


def attach_clade(
    order: MergeOrder,
    pruned: PrunedTree,
    leaves: Float[Array, " alleles haplotypes"],
    scaled_times: Levels,
    root_prior: Float[Array, " alleles"],
) -> Attachment:
    """Likelihood ratio of a clade at each position of a tree, and the log likelihood without it.

    On an existing branch the ratio is the posterior of the allele at that point times the
    likelihood of the clade; above the root the prior is re-rooted. For a tree of one haplotype
    the likelihood without the clade counts as one, so that the first two haplotypes count in full.

    Args:
        order: mergers of the forest, those of the tree and those of the clade.
        pruned: the tree and the clade.
        leaves: likelihood of each leaf's genotype given its true allele.
        scaled_times: mutation rate at the site times the representative time of each level.
        root_prior: probability of the ancestral, the derived allele at the root.
    """
    trunk, clade = pruned.trunk, pruned.clade
    mergers, messages = _upward(order, leaves, scaled_times)
    first = jnp.argmax(trunk).astype(jnp.int32)
    in_trunk, in_clade = order.used & trunk[order.parent], order.used & clade[order.parent]
    indices = jnp.arange(trunk.shape[0], dtype=jnp.int32)
    last = jnp.where(in_trunk, indices, -1).max()
    branches = _downward(order, mergers, leaves, scaled_times, root_prior, last)
    root = jnp.where(last >= 0, last + trunk.shape[0], first)
    is_root = (jnp.arange(branches.top.shape[0], dtype=jnp.int32) == root)[:, None]
    alone = jnp.where(last >= 0, (messages[:, first] * root_prior).sum(), 1.0)

    # The two alleles are written out: a fused loop over an axis of two costs six times as much.
    change_below = change_probability(scaled_times[None, :] - branches.bottom[:, None])
    change_above = change_probability(branches.top[:, None] - scaled_times[None, :])
    below_0, below_1 = _mix(branches.below[:, :, None], change_below)
    above_0, above_1 = _mix(branches.above[:, :, None], change_above)
    point_0 = below_0 * jnp.where(is_root, root_prior[0], above_0)
    point_1 = below_1 * jnp.where(is_root, root_prior[1], above_1)
    clade_time = jnp.where(in_clade, scaled_times[order.level], 0.0).max()
    new = messages[:, jnp.argmax(clade)]
    stem = jnp.maximum(scaled_times - clade_time, 0.0)
    new_0, new_1 = _mix(new[:, None], change_probability(stem))
    joined = point_0 * new_0[None, :] + point_1 * new_1[None, :]
    ratio = joined / jnp.where(is_root, alone, point_0 + point_1)
    ratio = jnp.take_along_axis(ratio, order.node, 0)
    return Attachment(
        ratio=jnp.where(trunk[:, None], ratio, 0.0),
        log_tree=jnp.log(alone) + jnp.where(in_trunk, mergers.log_scale, 0.0).sum(),
        log_clade=jnp.where(in_clade, mergers.log_scale, 0.0).sum(),
    )


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
    pruned: PrunedTree,
    alleles: Int8[Array, " haplotypes"],
    scaled_times: Levels,
    model: MutationModel,
) -> LineageMessage:
    """Likelihood ratio of a site when a clade joins the tree at each position.

    `p(site | tree with the clade at (x, k)) / p(site | tree)`, up to a constant if the clade has
    more than one haplotype; see `attach_clade`.

    Args:
        pruned: the tree and the clade.
        alleles: genotypes at the site (0, 1, or -1 for missing).
        scaled_times: mutation rate at the site times the representative time of each level.
        model: root prior and genotype error.

    Returns:
        Ratio for every (haplotype below the branch, level); 0 for haplotypes not in the tree.
    """
    order = merge_order(pruned.forest, scaled_times.shape[0])
    leaves = leaf_likelihood(alleles, model.genotype_error)
    return attach_clade(order, pruned, leaves, scaled_times, model.root_prior).ratio


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
