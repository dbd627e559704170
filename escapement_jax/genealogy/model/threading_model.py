"""The discretised SMC' that the threading model is built on: parameters and the boundary law.

Between neighbouring genome bins at most one recombination happens. A tree of length `L` stays as
it is with probability `1 - h L`; the branch piece of lineage `s` below level `r` is cut with
probability `h w_r`, where `w_r` is the length of the piece and `h = min(rho, 0.95 / L)`. The cut
lineage then re-coalesces by Kingman's conditional law of one extra lineage, its own old branch
included. Kingman's law of discretised trees is stationary and reversible under this law for every
grid, and dropping a haplotype from one step gives the law for one haplotype fewer.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.array_types import Levels
from escapement_jax.genealogy.model.coalescent import KingmanTables, kingman_tables
from escapement_jax.genealogy.model.mutation_model import MutationModel

LARGEST_RECOMBINATION_PROBABILITY = 0.95


class ThreadingModel(eqx.Module):
    """Everything that the law of graphs and data depends on, besides the genome itself.

    Attributes:
        times: representative time of every level, generations.
        kingman: law of one extra lineage for every level.
        mutation: root prior and genotype error.
        unseen_length: expected branch length that the complete tree has more than one of `i`
            haplotypes, generations; confines genotype errors to truly variable sites
            (`variable_sites`). None lets any base err.
    """

    times: Levels
    kingman: KingmanTables
    mutation: MutationModel
    unseen_length: Float[Array, " counts"] | None = None

    @property
    def num_levels(self) -> int:
        """Number of time levels."""
        return self.times.shape[0]

    @property
    def pieces(self) -> Levels:
        """Length of the branch piece below each level, `w_r = t_r - t_{r-1}`, generations."""
        return jnp.diff(self.times, prepend=0.0)


def threading_model(
    times: np.ndarray,
    intensities: np.ndarray,
    max_haplotypes: int,
    mutation: MutationModel,
    unseen_length: np.ndarray | None = None,
) -> ThreadingModel:
    """Build the model for trees of up to `max_haplotypes` haplotypes.

    Args:
        times: representative time of every level, generations, increasing.
        intensities: coalescent time inside each level, the last one infinite.
        max_haplotypes: number of haplotypes of the complete graph.
        mutation: the mutation model.
        unseen_length: expected branch length still to come, by number of haplotypes (0 for
            `max_haplotypes`), generations; needed if genotypes can be wrong.

    Raises:
        ValueError: times are not positive and increasing, or do not match the intensities.
    """
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1 or times.shape != np.shape(intensities):
        raise ValueError(
            f"need one time and one intensity per level, got shapes {times.shape} "
            f"and {np.shape(intensities)}"
        )
    if not np.all(np.diff(times, prepend=0.0) > 0):
        raise ValueError(f"level times must be positive and increase strictly, got {times}")
    return ThreadingModel(
        times=jnp.asarray(times, dtype=float),
        kingman=kingman_tables(intensities, max_haplotypes),
        mutation=mutation,
        unseen_length=None if unseen_length is None else jnp.asarray(unseen_length, dtype=float),
    )


def recombination_rate(
    recombination: Float[Array, "*#shape"], length: Float[Array, "*#shape"]
) -> Float[Array, "*#shape"]:
    """Density `h = min(rho, 0.95 / L)` of a cut per generation of branch length.

    Args:
        recombination: `rho`, expected recombinations per generation across the boundary.
        length: `L`, total branch length, generations.
    """
    cap = LARGEST_RECOMBINATION_PROBABILITY / jnp.maximum(length, 1e-9)
    return jnp.minimum(recombination, cap)
