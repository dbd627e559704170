"""Look-ahead from the alleles of haplotypes still to come: mutations have ages.

A derived allele that many will carry is old, one that few will carry is young. So the branch on
which the mutation lies must reach far enough down for the carriers to come to join below it, and
far enough up for the others to join above. With `k` carriers among `m` haplotypes to come,

    e^{u(x, t)} = P(k of m are carriers | tree with i at (x, t), alleles so far)
                = mean of w(s) over the heights s of the branch that separates the alleles,
    w(s) = P(k of m descend from a point at height s with c threaded haplotypes below it).

Seen from height `s` downwards, the blocks of Kingman's coalescent grow like a Polya urn in which a
block of `c` haplotypes has weight `c + 1`. With `a` lineages of the tree of `i` haplotypes at
height `s`, and `e` lineages of haplotypes to come alone,

    w(s) = mean over e of BetaBinomial(k; m - e, c + 1, i - c + a - 1 + e),

and `e` falls from `m`, by one at rate `e a + e (e - 1) / 2` in coalescent time. All this is exact
under Kingman's coalescent for one site; that sites share their genealogy is left out, and so is
which of the haplotypes to come are the carriers.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
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
may be wrong, a mutation may have happened twice, and the urn does not know the trunk."""


class CarrierLookAhead(LookAhead):
    """Log potentials at every site, from the numbers of carriers among haplotypes to come.

    Attributes:
        falls: probability that so many lineages to come alone (rows) become so many (columns)
            within a level, beside `a` lineages of the tree; for all levels but the last.
    """

    falls: Float[Array, "steps lineages extra extra"]

    @classmethod
    def of(cls, model: ThreadingModel) -> "CarrierLookAhead":
        """Tabulate the law of lineages for trees of as many haplotypes as the model's.

        Args:
            model: the law, which knows the coalescent time of every level.
        """
        times = -np.asarray(model.kingman.log_transition[:-1, 2, 2], dtype=np.float64)
        size = model.kingman.stay.shape[-1] - 1
        extra, lineages = np.arange(size), np.arange(size + 1)[:, None]
        rates = extra * lineages + extra * (extra - 1) / 2
        generator = np.zeros((size + 1, size, size))
        generator[:, extra, extra] = -rates
        generator[:, extra[1:], extra[:-1]] = rates[:, 1:]
        falls = scipy.linalg.expm(times[:, None, None, None] * generator)
        return cls(jnp.asarray(np.maximum(falls, 0.0), dtype=float))

    def potential(
        self,
        pruned: PrunedGraph,
        chunk: GenomeChunk,
        model: ThreadingModel,
        num_sites: Int[Array, ""] | None,
    ) -> Potential:
        """Log potentials of every site; 0 where there is none."""
        falls = lax.stop_gradient(self.falls)  # a law: what is learned beside it leaves it alone

        def site(row):
            tree = pruned.tree(pruned.segment[chunk.site_bin[row]])
            alleles = chunk.genotypes[row]
            logs = site_potential(tree, alleles, pruned.haplotype, model, falls)
            return jnp.where(chunk.site_mutation[row] > 0, logs, 0.0)

        used = chunk.num_sites if num_sites is None else num_sites
        rows = blocked_map(site, chunk.genotypes.shape[0], used, block_size=SITES_PER_BLOCK)
        return Potential(rows, chunk.site_slot)


class _Carriers(eqx.Module):
    """Threaded carriers of the derived allele, and the branch that parts them from the others.

    Attributes:
        any: whether there are any.
        is_clade: whether one mutation explains the alleles so far.
        bottom: level of their common ancestor, -1 for one haplotype.
        top: level at which they join a haplotype with the ancestral allele; above every level of
            the grid if there is none.
        on_branch: whether a position has carriers below it, and nobody else.
    """

    any: Bool[Array, ""]
    is_clade: Bool[Array, ""]
    bottom: Int[Array, ""]
    top: Int[Array, ""]
    on_branch: Bool[Array, "haplotypes levels"]


def _find_carriers(
    tree: PrunedTree, alleles: Int8[Array, " haplotypes"], num_levels: int
) -> _Carriers:
    derived, ancestral = tree.trunk & (alleles == 1), tree.trunk & (alleles == 0)
    levels = jnp.arange(num_levels, dtype=jnp.int8)[None, :]
    to_carrier = jnp.where(derived[None, :], tree.forest, ABSENT).min(1)
    to_other = jnp.where(ancestral[None, :], tree.forest, ABSENT).min(1)
    both = derived[:, None] & derived[None, :]
    bottom = jnp.where(both, tree.forest, -1).max().astype(jnp.int32)
    top = jnp.where(derived, to_other, ABSENT).min().astype(jnp.int32)
    return _Carriers(
        any=derived.any(),
        is_clade=bottom <= top,
        bottom=bottom,
        top=jnp.minimum(top, num_levels),
        on_branch=(levels >= to_carrier[:, None]) & (levels < to_other[:, None]),
    )


def site_potential(
    tree: PrunedTree,
    alleles: Int8[Array, " haplotypes"],
    haplotype: Int[Array, ""],
    model: ThreadingModel,
    falls: Float[Array, "steps lineages extra extra"],
) -> LineageMessage:
    """Log potential of one site for every position of the thread, the largest of them 0.

    It is 0 throughout where the site says nothing: the haplotype's genotype is missing, nobody is
    to come, nobody in the graph has the derived allele, or one mutation does not explain the
    alleles in the graph.

    Args:
        tree: the trunk, and the haplotype beside it.
        alleles: genotypes of all haplotypes, those to come included (-1 for missing).
        haplotype: the one to thread.
        model: the law.
        falls: as of `CarrierLookAhead`.
    """
    carriers = _find_carriers(tree, alleles, model.num_levels)
    derived, unseen = alleles[haplotype] == 1, ~tree.present
    below = _count(tree.trunk & (alleles == 1)) + derived.astype(jnp.int32)
    to_come = jnp.stack([_count(unseen & (alleles == allele)) for allele in (0, 1)])
    level = jnp.arange(model.num_levels, dtype=jnp.int32)[None, :]
    bottom, top, on_branch = carriers.bottom, carriers.top, carriers.on_branch
    # Where the mutation lies once the haplotype has joined at a position.
    lower = jnp.where(derived, jnp.maximum(bottom, level), bottom)
    upper = jnp.where(~derived & on_branch, jnp.minimum(level, top), top)
    lower, upper = jnp.where(carriers.any, lower, -1), jnp.where(carriers.any, upper, level)
    fits = jnp.where(derived, on_branch, ~on_branch | (level >= bottom)) | ~carriers.any

    chance = carrier_chance(tree, below, to_come, falls)
    values = jnp.where(fits, _mean_between(chance, lower, upper, model), 0.0)
    largest = jnp.maximum(values.max(), float(jnp.finfo(values.dtype).tiny))
    values = jnp.maximum(values / largest, FLOOR)
    known = (alleles[haplotype] >= 0) & (to_come.sum() > 0)
    return jnp.where(known & carriers.is_clade & (below > 0), jnp.log(values), 0.0)


def _count(mask: HaplotypeMask) -> Int[Array, ""]:
    return mask.sum(dtype=jnp.int32)


def _mean_between(
    chance: Levels,
    lower: Int[Array, "*#shape"],
    upper: Int[Array, "*#shape"],
    model: ThreadingModel,
) -> Float[Array, "*#shape"]:
    """Mean of `w` between the times of two levels; above the root, which has no end, its integral.

    Below the root a longer branch has the more mutations already in the likelihood of the graph;
    above it the likelihood does not count them.
    """
    last = model.num_levels - 1
    zero = jnp.zeros_like(chance[:1])
    reach = jnp.concatenate([zero, jnp.cumsum(chance * model.pieces)])
    times = jnp.concatenate([zero, model.times])
    end = jnp.minimum(upper, last)
    gained, length = reach[end + 1] - reach[lower + 1], times[end + 1] - times[lower + 1]
    mean = jnp.where(length > 0, gained / jnp.where(length > 0, length, 1.0), chance[end])
    return jnp.where(upper > last, gained / model.times[-1], mean)


def carrier_chance(
    tree: PrunedTree,
    below: Int[Array, ""],
    to_come: Int[Array, " 2"],
    falls: Float[Array, "steps lineages extra extra"],
) -> Levels:
    """`w`, by the level below which the point lies: the carriers to come are those that join below.

    Args:
        tree: the trunk, and the haplotype beside it.
        below: threaded haplotypes `c` below the point.
        to_come: haplotypes to come with the ancestral, the derived allele.
        falls: as of `CarrierLookAhead`.
    """
    level = jnp.arange(falls.shape[0] + 1, dtype=jnp.int8)[None, :]
    merged, threaded = merge_levels(tree.forest), _count(tree.present)
    lineages = tree.present[:, None] & (merged[:, None] >= level)
    lineages = lineages.sum(0, dtype=jnp.int32)
    unseen, carriers = to_come.sum(dtype=jnp.int32), to_come[1]
    extra = jnp.arange(falls.shape[-1], dtype=jnp.int32)[None, :]
    possible = extra <= unseen - carriers
    elsewhere = jnp.where(possible, unseen - carriers - extra, 0)
    others = threaded - below + lineages[:, None] - 1 + extra
    log_urn = _log_beta_binomial(carriers, elsewhere, below + 1, others)
    alone = lineages_alone(lineages, unseen, falls)
    return jnp.where(possible, jnp.exp(log_urn) * alone, 0.0).sum(1)


def lineages_alone(
    lineages: Int[Array, " levels"],
    unseen: Int[Array, ""],
    falls: Float[Array, "steps lineages extra extra"],
) -> Float[Array, "levels extra"]:
    """Law of the number of lineages of haplotypes to come alone, on entering every level.

    Args:
        lineages: lineages `a` of the tree that enter every level.
        unseen: haplotypes to come.
        falls: as of `CarrierLookAhead`.
    """

    def climb(law, level):
        fall, count = level
        after = jnp.matmul(law, fall[count], precision=lax.Precision.HIGHEST)
        return after, after

    start = jax.nn.one_hot(unseen, falls.shape[-1], dtype=falls.dtype)
    _, above = lax.scan(climb, start, (falls, lineages[:-1]))
    return jnp.concatenate([start[None, :], above])


def _log_factorial(number: Int[Array, "*#shape"], most: int) -> Float[Array, "*#shape"]:
    """Read from a table: far cheaper than the gamma function."""
    table = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])
    return jnp.asarray(table, dtype=float)[number]


def _log_choose(
    total: Int[Array, "*#shape"], chosen: Int[Array, "*#shape"], most: int
) -> Float[Array, "*#shape"]:
    factorials = [_log_factorial(number, most) for number in (total, chosen, total - chosen)]
    return factorials[0] - factorials[1] - factorials[2]


def _log_beta_binomial(
    inside: Int[Array, ""],
    outside: Int[Array, "*#shape"],
    weight_inside: Int[Array, ""],
    weight_outside: Int[Array, "*#shape"],
) -> Float[Array, "*#shape"]:
    """Log probability that so many draws from a Polya urn fall inside and outside a block."""
    most = 4 * outside.shape[-1]
    empty, weight = weight_outside == 0, jnp.maximum(weight_outside, 1)
    ways = _log_choose(inside + weight_inside - 1, inside, most)
    ways = ways + _log_choose(outside + weight - 1, outside, most)
    drawn = inside + outside
    ways = ways - _log_choose(drawn + weight_inside + weight - 1, drawn, most)
    return jnp.where(empty, jnp.where(outside == 0, 0.0, -jnp.inf), ways)
