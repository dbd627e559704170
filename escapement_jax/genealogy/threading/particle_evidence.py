"""The evidence `P(D)` from draws that thread one order together and are chosen anew on the way.

Draws of a pass are never compared before its end, and one that went wrong early stays wrong. Where
all draws thread the haplotypes in the same order, those of small weight can be dropped after every
haplotype in favour of copies of the others (a particle filter over haplotypes):

    log P_hat = sum_i log mean_draws w_i,    E[P_hat] = P(D),    E[log P_hat] <= log P(D),

a far tighter bound at no cost. Its draws descend from few ancestors: they are no posterior sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.genealogy.threading.look_ahead import LookAhead
from escapement_jax.genealogy.threading.sequential_pass import empty_graphs, thread_haplotypes


@dataclass(frozen=True)
class ParticleEvidence:
    """An unbiased estimate of `P(D)`.

    Attributes:
        log_evidence: its logarithm, nats; in the mean a bound on `log P(D)`.
        effective_draws: `(sum w)^2 / sum w^2` at every haplotype.
    """

    log_evidence: float
    effective_draws: Float[np.ndarray, " haplotypes"]


def particle_evidence(
    key: PRNGKey,
    order: Int[Array, " haplotypes"],
    chunks: Sequence[GenomeChunk],
    model: ThreadingModel,
    *,
    draws: int,
    capacity: int,
    look_ahead: Sequence[LookAhead] | None = None,
) -> ParticleEvidence:
    """Estimate the evidence by threading all haplotypes, draws being resampled after each.

    Args:
        key: random key.
        order: the order in which all draws thread the haplotypes.
        chunks: the genome.
        model: the law.
        draws: number of draws.
        capacity: initial number of records that a chunk can hold.
        look_ahead: potentials of every chunk; None for none.

    Raises:
        ValueError: an evidence is not finite.

    Source:
        Del Moral, Doucet & Jasra (2006), J. R. Statist. Soc. B 68, 411-436; systematic resampling
        of Kitagawa (1996), J. Comput. Graph. Stat. 5, 1-25.
    """
    members = [jnp.full(draws, haplotype, jnp.int32) for haplotype in order]
    graphs = empty_graphs(members[0], len(members), chunks, capacity)
    log_evidence, effective = 0.0, []
    for index, haplotypes in enumerate(members[1:]):
        key_thread, key_choice = jax.random.split(jax.random.fold_in(key, index))
        graphs, log_weights = thread_haplotypes(
            key_thread, graphs, chunks, haplotypes, model, look_ahead=look_ahead
        )
        weights = np.exp(log_weights - log_weights.max())
        log_evidence += float(log_weights.max() + np.log(weights.mean()))
        effective.append(weights.sum() ** 2 / (weights**2).sum())
        chosen = systematic_choice(weights, float(jax.random.uniform(key_choice)))
        graphs = jax.tree.map(itemgetter(chosen), graphs)
    return ParticleEvidence(log_evidence, np.array(effective))


def systematic_choice(weights: Float[np.ndarray, " draws"], uniform: float) -> np.ndarray:
    """Choose as many draws, each in proportion to its weight, by one random number.

    Args:
        weights: not negative, not all 0.
        uniform: between 0 and 1.
    """
    upper = np.cumsum(weights) / weights.sum()
    places = (uniform + np.arange(weights.size)) / weights.size
    return np.searchsorted(upper[:-1], places, side="right")
