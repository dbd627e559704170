"""Goals in a space of what was reached, and which rollout came nearest to a goal."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Inexact, Int

from escapement_jax.array_types import PRNGKey

CHUNK = 500


def hypercube_goals(
    low: Inexact[Array, " coordinates"],
    high: Inexact[Array, " coordinates"],
    number: int,
    scaling: float,
    *,
    key: PRNGKey,
) -> Inexact[Array, "number coordinates"]:
    """Draw goals uniformly from the enlarged box of what was reached: ``c + s (M - m) (u - 1/2)``.

    Complex ends give goals on the line between them, one draw per coordinate, as published.
    """
    shape = (number, low.shape[0])
    u = jax.random.uniform(key, shape, jnp.real(low).dtype) - 0.5
    return ((low + high) / 2)[None] + scaling * (high - low)[None] * u.astype(low.dtype)


def reached_extent(
    points: Inexact[Array, "rows coordinates"], counted: Bool[Array, " rows"]
) -> tuple[Inexact[Array, " coordinates"], Inexact[Array, " coordinates"]]:
    """Return the smallest and the largest of every coordinate; complex numbers by real part.

    That is the lexicographic order in which numpy ranks complex numbers, up to ties.
    """
    rank = jnp.real(points)
    lowest = jnp.argmin(jnp.where(counted[:, None], rank, jnp.inf), 0)
    highest = jnp.argmax(jnp.where(counted[:, None], rank, -jnp.inf), 0)
    ends = [jnp.take_along_axis(points, at[None], 0)[0] for at in (lowest, highest)]
    return ends[0], ends[1]


def nearest_rows(
    points: Inexact[Array, "rows coordinates"],
    counted: Bool[Array, " rows"],
    goals: Inexact[Array, "goals coordinates"],
    num_rows: Int[Array, ""],
) -> tuple[Int[Array, " goals"], Float[Array, " goals"]]:
    """Return the row nearest to every goal, by the mean modulus of the difference.

    Args:
        points: What was reached; rows are looked at in chunks, as far as they are in use.
        counted: Rows that may be chosen.
        goals: What is wanted.
        num_rows: Number of rows in use.

    Returns:
        Rows and distances.
    """
    chunk = min(CHUNK, points.shape[0])

    def body(k: Array, best: tuple[Array, Array]) -> tuple[Array, Array]:
        # The last chunk is moved back to fit in; its rows may be looked at twice.
        first = jnp.minimum(k * chunk, points.shape[0] - chunk)
        rows = lax.dynamic_slice_in_dim(points, first, chunk, 0)
        free = lax.dynamic_slice_in_dim(counted, first, chunk, 0)
        apart = lax.map(lambda goal: _modulus(rows - goal[None]).mean(-1), goals)
        apart = jnp.where(free[None], apart, jnp.inf)
        least = jnp.argmin(apart, 1).astype(jnp.int32)
        distance = jnp.take_along_axis(apart, least[:, None], 1)[:, 0]
        closer = distance < best[1]
        at = first + least
        return jnp.where(closer, at, best[0]), jnp.where(closer, distance, best[1])

    none = jnp.zeros(goals.shape[0], jnp.int32)
    farthest = jnp.full(goals.shape[0], jnp.inf, jnp.real(points).dtype)
    return lax.fori_loop(0, -(-num_rows // chunk), body, (none, farthest))


def _modulus(value: Inexact[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Return the modulus, without the care for overflow that makes that of numpy slow."""
    if not jnp.iscomplexobj(value):
        return jnp.abs(value)
    return jnp.sqrt(jnp.square(value.real) + jnp.square(value.imag))
