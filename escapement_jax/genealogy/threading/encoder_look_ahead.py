"""Look-ahead from the encoder: what haplotypes still to come add to what it reads.

With the network's potentials `psi(D)` of all pairs, read from alleles `D`,

    u_l(i; j, t) = psi_l(D)(i; j, t) - psi_l(D_{<=i})(i; j, t),

where `D_{<=i}` has the alleles of haplotypes still to come missing: so nothing is counted that
threading itself reads, and nothing is left when nobody is to come. A lineage has the mean of `e^u`
over the haplotypes below it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int8

from escapement_jax.array_types import Levels
from escapement_jax.genealogy.encoder.heads import PotentialNetwork
from escapement_jax.genealogy.encoder.pair_features import pair_features
from escapement_jax.genealogy.encoder.site_columns import SiteColumns
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.pruned_graph import PrunedGraph
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem
from escapement_jax.genealogy.threading.look_ahead import LookAhead, Potential, mean_below

_NEXT_TO = 1.0
"""Base pairs left of a site from which the network looks, that it sees the site itself."""


class EncoderLookAhead(LookAhead):
    """Log potentials at every site of a chunk.

    Attributes:
        network: encoder and heads, of as many levels as the model.
        positions: of the sites in the chunk's rows, base pairs; row 0 is no site.
        times: representative time of each level, generations.
        length_scales: of the encoder, base pairs.
    """

    network: PotentialNetwork
    positions: Float[Array, " sites"]
    times: Levels
    length_scales: tuple[float, ...] = eqx.field(static=True)

    def potential(
        self,
        pruned: PrunedGraph,
        chunk: GenomeChunk,
        model: ThreadingModel,
        num_sites: Int[Array, ""] | None,
    ) -> Potential:
        """Log potentials of every site; 0 where there is none."""
        is_site = jnp.arange(chunk.genotypes.shape[0], dtype=jnp.int32) < chunk.num_sites
        is_site = is_site.at[0].set(False)
        known = jnp.where(pruned.present[None, :], chunk.genotypes, jnp.int8(-1))
        gained = self._pairs(chunk.genotypes, is_site) - self._pairs(known, is_site)

        def row(pairs, here):
            return mean_below(pairs, pruned.tree(pruned.segment[here]))

        rows = jax.vmap(row)(gained[:, pruned.haplotype], chunk.site_bin)
        return Potential(jnp.where(is_site[:, None, None], rows, 0.0), chunk.site_slot)

    def _pairs(
        self, genotypes: Int8[Array, "sites haplotypes"], is_site: Bool[Array, " sites"]
    ) -> Float[Array, "sites haplotypes haplotypes levels"]:
        """Potentials of all pairs; the void row goes last, where the encoder expects padding."""
        real = jnp.roll(is_site, -1)
        positions = jnp.roll(self.positions, -1)
        last = jnp.max(jnp.where(real, positions, 0.0))
        columns = SiteColumns(
            jnp.roll(genotypes, -1, axis=0).T, jnp.where(real, positions, last), real
        )
        features = pair_features(columns, columns.positions - _NEXT_TO, self.length_scales)
        potentials = self.network(columns, features, self.times, all_pairs=True)
        return jnp.roll(potentials.states, 1, axis=0)


def encoder_look_ahead(
    network: PotentialNetwork, length_scales: tuple[float, ...], problem: ThreadingProblem
) -> list[EncoderLookAhead]:
    """Look-ahead of every chunk of a genome.

    Args:
        network: encoder and heads, of as many levels as the problem's grid.
        length_scales: of the encoder, base pairs.
        problem: genome and law.
    """
    edges, size = problem.bins.edges, problem.chunks[0].recombination.shape[0]
    ahead = []
    for place, chunk in enumerate(problem.chunks):
        bins = np.minimum(place * size + np.asarray(chunk.site_bin), len(edges) - 2)
        positions = jnp.asarray(edges[bins] - edges[place * size], dtype=float)
        ahead.append(EncoderLookAhead(network, positions, problem.grid.times, length_scales))
    return ahead
