"""Look-ahead from the alleles that haplotypes still to come carry: mutations have ages.

A derived allele that many will carry is old, one that few will carry is young. So the branch on
which the mutation lies must reach down far enough for the carriers to come to join below it, and
up far enough for the others to join above. With `k` carriers among `m` haplotypes to come,

    e^{u(x, t)} = P(k of m are carriers | tree with i at (x, t), alleles so far)
                = mean of w(s) over the heights s of the branch that separates the alleles,
    w(s) = P(k of m descend from a point at height s with c threaded haplotypes below it).

Looking down from height `s` the blocks of Kingman's coalescent grow like Polya's urn in which a
block of `c` haplotypes has weight `c + 1`. With `a` lineages of the tree, of `i` haplotypes, and
`e` more of haplotypes to come alone,

    w(s) = mean over e of BetaBinomial(k; m - e, c + 1, i - c + a - 1 + e),

`e` being binomial with the mean that solves `de/dx = - e a - e (e - 1) / 2` in coalescent time `x`.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int8

from escapement_jax.array_types import HaplotypeMask, Levels, LineageMessage
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.pruned_graph import PrunedGraph
from escapement_jax.genealogy.model.local_trees import ABSENT, merge_levels
from escapement_jax.genealogy.model.pruned_tree import PrunedTree
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.genealogy.threading.look_ahead import LookAhead, Potential
from escapement_jax.numerics.blocked_map import blocked_map

SITES_PER_BLOCK = 16
FLOOR = 0.02
"""Share of the largest potential of a site below which none falls: the ancestral allele on record
may be wrong, a mutation may have happened twice, and the urn is only close."""


class CarrierLookAhead(LookAhead):
    """Log potentials at every site, from the numbers of carriers to come.

    Attributes:
        strength: factor on the log potentials.
    """

    strength: Float[Array, ""]

    def potential(
        self,
        pruned: PrunedGraph,
        chunk: GenomeChunk,
        model: ThreadingModel,
        num_sites: Int[Array, ""] | None,
    ) -> Potential:
        """Log potentials of every site; 0 where there is none."""

        def site(row):
            tree = pruned.tree(pruned.segment[chunk.site_bin[row]])
            logs = site_potential(tree, chunk.genotypes[row], pruned.haplotype, model)
            return self.strength * jnp.where(chunk.site_mutation[row] > 0, logs, 0.0)

        used = chunk.num_sites if num_sites is None else num_sites
        rows = blocked_map(site, chunk.genotypes.shape[0], used, block_size=SITES_PER_BLOCK)
        return Potential(rows, chunk.site_slot)


class _Carriers(eqx.Module):
    """Threaded carriers of the derived allele, and the branch that parts them from the others.

    Attributes:
        any: whether there are any.
        apart: whether they are a clade, so that one mutation explains the alleles so far.
        bottom: level of their common ancestor, -1 for one haplotype.
        top: level at which they join haplotypes with the ancestral allele.
        on_branch: whether a position has carriers below it, and nobody else.
    """

    any: Bool[Array, ""]
    apart: Bool[Array, ""]
    bottom: Int[Array, ""]
    top: Int[Array, ""]
    on_branch: Bool[Array, "haplotypes levels"]


def _carriers(
    tree: PrunedTree, derived: HaplotypeMask, ancestral: HaplotypeMask, num_levels: int
) -> _Carriers:
    levels = jnp.arange(num_levels, dtype=jnp.int8)
    to_carrier = jnp.where(derived[None, :], tree.forest, ABSENT).min(1)
    to_other = jnp.where(ancestral[None, :], tree.forest, ABSENT).min(1)
    both = derived[:, None] & derived[None, :]
    bottom = jnp.where(both, tree.forest, -1).max().astype(jnp.int32)
    top = jnp.where(derived, to_other, ABSENT).min().astype(jnp.int32)
    reached = levels[None, :] >= to_carrier[:, None]
    return _Carriers(
        any=derived.any(),
        apart=bottom <= top,
        bottom=bottom,
        top=jnp.minimum(top, num_levels),
        on_branch=reached & (levels[None, :] < to_other[:, None]),
    )


def site_potential(
    tree: PrunedTree,
    alleles: Int8[Array, " haplotypes"],
    haplotype: Int[Array, ""],
    model: ThreadingModel,
) -> LineageMessage:
    """Log potential of one site for every position of the thread, the largest of them 0.

    Args:
        tree: the trunk, and the haplotype beside it.
        alleles: genotypes of all haplotypes, those to come included (-1 for missing).
        haplotype: the one to thread.
        model: the law.
    """
    num_levels = model.num_levels
    unseen, own = ~tree.present, alleles[haplotype]
    carriers = _carriers(
        tree, tree.trunk & (alleles == 1), tree.trunk & (alleles == 0), num_levels
    )
    below = (tree.trunk & (alleles == 1)).sum() + (own == 1)
    to_come = jnp.stack([(unseen & (alleles == allele)).sum() for allele in (0, 1)])
    chance = carrier_chance(tree, below, to_come, model)
    reach = jnp.cumsum(chance * model.pieces)
    level = jnp.arange(num_levels, dtype=jnp.int32)[None, :]
    lower = jnp.where(own == 1, jnp.maximum(carriers.bottom, level), carriers.bottom)
    lower = jnp.where(carriers.any, lower, -1)
    upper = jnp.where(own == 1, carriers.top, jnp.minimum(level, carriers.top))
    upper = jnp.where(carriers.any, upper, level)
    elsewhere = _mean_between(chance, reach, carriers.bottom, carriers.top, model)
    here = _mean_between(chance, reach, lower, upper, model)
    consistent = carriers.on_branch & jnp.where(own == 1, level < carriers.top, level >= lower)
    values = jnp.where(consistent, here, jnp.where(own == 1, 0.0, elsewhere))
    values = jnp.where(carriers.any, values, jnp.broadcast_to(here, values.shape))
    inside = carriers.on_branch & (own == 0) & (level < carriers.bottom)
    values = jnp.where(inside & carriers.any, 0.0, values)
    values = jnp.maximum(values / jnp.maximum(values.max(), 1e-30), FLOOR)
    speaks = (own >= 0) & (to_come.sum() > 0) & carriers.apart & (carriers.any | (own == 1))
    return jnp.where(speaks, jnp.log(values), 0.0)


def _mean_between(
    chance: Levels,
    reach: Levels,
    lower: Int[Array, "*#shape"],
    upper: Int[Array, "*#shape"],
    model: ThreadingModel,
) -> Float[Array, "*#shape"]:
    """Mean of `w` between two levels; above the root, where heights have no end, the integral."""
    last = model.num_levels - 1
    top = jnp.minimum(upper, last)
    reach, times = jnp.append(0.0, reach), jnp.append(0.0, model.times)
    gained, length = reach[top + 1] - reach[lower + 1], times[top + 1] - times[lower + 1]
    mean = jnp.where(length > 0, gained / jnp.where(length > 0, length, 1.0), chance[top])
    return jnp.where(upper > last, gained / model.times[-1], mean)


def carrier_chance(
    tree: PrunedTree,
    below: Int[Array, ""],
    to_come: Int[Array, " 2"],
    model: ThreadingModel,
) -> Levels:
    """`w`: probability that the carriers to come are those below a point, by the level of it.

    Args:
        tree: the trunk, and the haplotype beside it.
        below: threaded haplotypes below the point.
        to_come: haplotypes to come with the ancestral, the derived allele.
        model: the law.
    """
    size = tree.present.shape[0]
    merged = merge_levels(tree.forest)
    level = jnp.arange(model.num_levels, dtype=jnp.int8)
    threaded = tree.present.sum()
    lineages = (tree.present[:, None] & (merged[:, None] >= level)).sum(0)
    unseen, carriers = to_come.sum(), to_come[1]
    share = extra_lineages(lineages, unseen, model) / jnp.maximum(unseen, 1)
    extra = jnp.arange(size, dtype=jnp.int32)[None, :]
    log_factorial = jnp.asarray(_log_factorials(4 * size), share.dtype)

    def log_choose(many, few):
        return log_factorial[many] - log_factorial[few] - log_factorial[many - few]

    fits = extra <= unseen - carriers
    joined = jnp.where(fits, unseen - carriers - extra, 0)
    others = threaded - below + lineages[:, None] - 1 + extra
    others = jnp.maximum(others, 1)
    log_urn = log_choose(below + carriers, carriers) + log_choose(joined + others - 1, joined)
    log_urn = log_urn - log_choose(joined + carriers + others + below, joined + carriers)
    apart = jnp.clip(share, 1e-6, 1 - 1e-6)[:, None]
    log_extra = log_choose(unseen, jnp.minimum(extra, unseen))
    log_extra = log_extra + extra * jnp.log(apart) + (unseen - extra) * jnp.log1p(-apart)
    return jnp.where(fits, jnp.exp(log_urn + log_extra), 0.0).sum(1)


def extra_lineages(
    lineages: Int[Array, " levels"], unseen: Int[Array, ""], model: ThreadingModel
) -> Levels:
    """Expected lineages of haplotypes to come alone, half-way up the piece below each level.

    `de/dx = - e a - e (e - 1) / 2` in steps that are exact for constant `a`.

    Args:
        lineages: lineages `a` of the tree that enter every level.
        unseen: haplotypes to come.
        model: the law, which knows the coalescent time `x` of every level.
    """
    intensity = -model.kingman.log_transition[:, 2, 2]

    def climb(extra, level):
        count, time = level
        rate = jnp.maximum(count - 0.5, 0.5)
        # The logistic law de/dx = - rate e - e^2 / 2.
        decay = jnp.exp(-rate * time)
        after = extra * decay / (1 + extra * (1 - decay) / (2 * rate))
        return after, extra

    counts = lineages.astype(intensity.dtype)
    return lax.scan(climb, unseen.astype(intensity.dtype), (counts, intensity))[1]


def _log_factorials(largest: int) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, largest + 1)))])
