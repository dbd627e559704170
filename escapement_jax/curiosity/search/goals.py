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
        apart = jnp.where(free[None], _mean_moduli(rows, goals), jnp.inf)
        least = jnp.argmin(apart, 1).astype(jnp.int32)
        distance = jnp.take_along_axis(apart, least[:, None], 1)[:, 0]
        closer = distance < best[1]
        at = first + least
        return jnp.where(closer, at, best[0]), jnp.where(closer, distance, best[1])

    none = jnp.zeros(goals.shape[0], jnp.int32)
    farthest = jnp.full(goals.shape[0], jnp.inf, jnp.real(points).dtype)
    return lax.fori_loop(0, -(-num_rows // chunk), body, (none, farthest))


def _mean_moduli(
    rows: Inexact[Array, "rows coordinates"], goals: Inexact[Array, "goals coordinates"]
) -> Float[Array, "goals rows"]:
    """Return the mean modulus of the difference of every goal and row.

    Complex numbers are taken apart first: XLA does not vectorise their arithmetic on CPU.
    """
    if not jnp.iscomplexobj(rows):
        return lax.map(lambda goal: jnp.abs(rows - goal[None]).mean(-1), goals)
    real, imaginary = rows.real, rows.imag

    def one(goal: tuple[Array, Array]) -> Array:
        squares = jnp.square(real - goal[0][None]) + jnp.square(imaginary - goal[1][None])
        return jnp.sqrt(squares).mean(-1)

    return lax.map(one, (goals.real, goals.imag))
