"""Look-ahead: potentials that tell a thread what haplotypes that are still to come will need.

A pass threads haplotype `i` by `p(path | G_{i-1}, D_{<=i})`, blind to the haplotypes after it. With
any log potentials `u_l(lineage, level)`, a function of the graph so far and of all data, it may as
well draw from

    q(path) = p(path, D_i | G_{i-1}) e^{u(path)} / Z_i(u),    u(path) = sum_l u_l(z_l):

`log Z_i(u) - u(path)` is then the log weight, the mean weight remains `P(D)`, and the mean log
weight a bound on its logarithm, whatever `u`. The bound is tight where
`e^{u(path)} ~ p(D_{>i} | G_i)`.
"""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import BinPath
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.pruned_graph import PrunedGraph
from escapement_jax.genealogy.model.local_trees import ABSENT
from escapement_jax.genealogy.model.pruned_tree import PrunedTree
from escapement_jax.genealogy.model.threading_model import ThreadingModel


class Potential(eqx.Module):
    """Log potentials of every position of a thread in one chunk.

    Attributes:
        rows: log potentials `u` by (haplotype below the lineage, level), alike for all haplotypes
            below a lineage; at most about 0, that their exponentials do not overflow.
        row_of_bin: the row that holds in every bin.
    """

    rows: Float[Array, "*draws rows haplotypes levels"]
    row_of_bin: Int[Array, "*draws bins"]

    def of_path(self, branch: BinPath, level: BinPath) -> Float[Array, ""]:
        """Sum of the log potentials of the positions of a path, `u(path)`."""
        return self.rows[self.row_of_bin, branch, level].sum()


class LookAhead(eqx.Module):
    """A rule that makes potentials for a haplotype beside a graph; one per chunk of the genome.

    All arrays times zero must give a rule that can be evaluated on an empty chunk.
    """

    @abstractmethod
    def potential(
        self,
        pruned: PrunedGraph,
        chunk: GenomeChunk,
        model: ThreadingModel,
        num_sites: Int[Array, ""] | None,
    ) -> Potential:
        """Log potentials of the haplotype that stands beside a graph.

        Args:
            pruned: the haplotype beside the graph of those before it.
            chunk: genome and genotypes of all haplotypes.
            model: the law.
            num_sites: bound on the number of sites, alike in a batch; None for the chunk's own.
        """


class PairLookAhead(LookAhead):
    """Log potentials told for pairs of haplotypes, as an encoder or the copying model gives them.

    A lineage has the mean of `e^u` over the haplotypes below it.

    Attributes:
        table: `u` for the threaded haplotype, in every bin, beside every other one, which it joins
            at a level.
    """

    table: Float[Array, "threaded bins haplotypes levels"]

    def potential(
        self,
        pruned: PrunedGraph,
        chunk: GenomeChunk,
        model: ThreadingModel,
        num_sites: Int[Array, ""] | None,
    ) -> Potential:
        """Log potentials of every bin."""
        segments = pruned.segment
        table = self.table[pruned.haplotype]

        def row(pairs, segment):
            return mean_below(pairs, pruned.tree(segment))

        rows = jax.vmap(row)(table, segments)
        rows = rows - rows.max((1, 2), keepdims=True)
        return Potential(rows, jnp.arange(rows.shape[0], dtype=jnp.int32))


class SummedLookAhead(LookAhead):
    """Potentials of several rules, added up: such as a closed form and what a network adds.

    Attributes:
        parts: the rules.
    """

    parts: tuple[LookAhead, ...]

    def potential(
        self,
        pruned: PrunedGraph,
        chunk: GenomeChunk,
        model: ThreadingModel,
        num_sites: Int[Array, ""] | None,
    ) -> Potential:
        """Log potentials of every bin."""
        of_parts = [part.potential(pruned, chunk, model, num_sites) for part in self.parts]
        of_bins = [potential.rows[potential.row_of_bin] for potential in of_parts]
        rows = sum(of_bins[1:], of_bins[0])
        return Potential(rows, jnp.arange(rows.shape[0], dtype=jnp.int32))


def mean_below(
    pairs: Float[Array, "haplotypes levels"], tree: PrunedTree
) -> Float[Array, "haplotypes levels"]:
    """Log of the mean of `e^u` over the haplotypes below the lineage of every position.

    Args:
        pairs: log potential `u` of joining beside every haplotype, at every level.
        tree: the trunk; other haplotypes do not count.
    """
    levels = jnp.arange(pairs.shape[1], dtype=jnp.int8)[None, None, :]
    distance = jnp.where(tree.trunk[None, :], tree.forest, jnp.int8(ABSENT))
    below = (distance[:, :, None] <= levels).astype(pairs.dtype)
    largest = jnp.where(tree.trunk[:, None], pairs, -jnp.inf).max(0)
    largest = jnp.where(jnp.isfinite(largest), largest, 0.0)
    shares = jnp.exp(jnp.where(tree.trunk[:, None], pairs - largest[None, :], -jnp.inf))
    total = (below * shares[None]).sum(1) / jnp.maximum(below.sum(1), 1.0)
    return jnp.log(jnp.maximum(total, float(jnp.finfo(pairs.dtype).tiny))) + largest[None, :]
