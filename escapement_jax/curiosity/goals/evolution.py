"""A plain evolution strategy: mutate the best, less and less."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.goals.target import Target


@eqx.filter_jit
def evolve(
    target: Target,
    unit: Float[Array, " parameters"],
    *,
    num_generations: int,
    num_workers: int,
    scale: float = 0.1,
    key: PRNGKey,
) -> tuple[Float[Array, " parameters"], Float[Array, ""]]:
    """Minimise the distance to a target by mutations of the best so far, inside the box.

    Unlike the published optimiser the parent is kept, so the result is never worse than the start.

    Args:
        target: What is wanted.
        unit: The start, in units of the box.
        num_generations: Number of generations.
        num_workers: Mutants per generation, one rollout each.
        scale: Standard deviation of the first mutations; it falls linearly to zero.
        key: Key of the mutations.

    Returns:
        The best parameters and their distance.
    """
    losses = jax.vmap(target.loss)

    def body(carry: tuple[Array, Array], generation: Array) -> tuple[tuple[Array, Array], None]:
        best, least = carry
        size = scale * (1 - generation.astype(unit.dtype) / num_generations)
        noise = jax.random.normal(
            jax.random.fold_in(key, generation), (num_workers, unit.shape[0]), unit.dtype
        )
        mutants = jnp.clip(best[None] + size * noise, 0, 1)
        values = losses(mutants)
        values = jnp.where(jnp.isfinite(values), values, jnp.inf)
        at = jnp.argmin(values)
        better = values[at] < least
        return (jnp.where(better, mutants[at], best), jnp.minimum(values[at], least)), None

    start = (unit, target.loss(unit))
    return lax.scan(body, start, jnp.arange(num_generations))[0]
