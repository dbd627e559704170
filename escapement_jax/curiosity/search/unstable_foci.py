"""Starting where a fixed point spirals outwards: half of such circuits oscillate.

A rest that is unstable in an even number of directions, and has no way out along a real line of
its own, is left by a growing oscillation. Finding one takes a few Newton steps and no rollout.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.search.starts import AbstractStart
from escapement_jax.curiosity.systems.base import AbstractSystem

CHUNK = 4000
SMALLEST_PIVOT = 1e-8
LARGEST_REST = 1e-3
LONGEST_NEWTON_STEP = 0.1


class UnstableFocusStart(AbstractStart):
    """Draws with an unstable focus, started beside it; random draws fill up what is missing.

    Attributes:
        pool: Draws that are looked at; None takes 40,000 for three states, less for more, so that
            the work stays the same.
        newton_steps: Damped Newton steps from the middle of the box.
        kick: Distance of the start from the focus, as a share of the range of the states.
    """

    pool: int | None = eqx.field(static=True, default=None)
    newton_steps: int = eqx.field(static=True, default=25)
    kick: float = eqx.field(static=True, default=0.01)

    def __call__(
        self, system: AbstractSystem, number: int, *, key: PRNGKey
    ) -> Float[Array, "number parameters"]:
        """Draw a pool and keep the first that qualify."""
        pool = self.pool or max(40_000 * 9 // system.num_states**2, 8 * number)
        return _draw(system, number, pool, self.newton_steps, self.kick, key)


@eqx.filter_jit
def _draw(
    system: AbstractSystem, number: int, pool: int, newton_steps: int, kick: float, key: PRNGKey
) -> Float[Array, "number parameters"]:
    draw_key, kick_key = jax.random.split(key)
    drawn = system.box.sample(-(-pool // CHUNK) * CHUNK, key=draw_key)

    def look(part: Array) -> tuple[Array, Array]:
        y, resting, jacobian = fixed_points(system, part, newton_steps=newton_steps)
        return y.T, resting & is_unstable_focus(jacobian)

    # In chunks that stay in the cache.
    parts = drawn.reshape(-1, CHUNK, drawn.shape[1])
    y, good = (found.reshape(-1, *found.shape[2:]) for found in lax.map(look, parts))
    # Good ones first, in the order drawn; then random draws as they are.
    order = lax.top_k(good.astype(drawn.dtype), number)[1]
    n = system.num_states
    low, high = system.box.low[:n], system.box.high[:n]
    noise = kick * jax.random.normal(kick_key, (number, n), y.dtype) * (high - low)[None]
    beside = jnp.where(good[order][:, None], y[order] + noise, drawn[order, :n])
    kept = jnp.concatenate([beside, drawn[order, n:]], 1)
    return system.box.clip(kept)


def fixed_points(
    system: AbstractSystem, parameters: Float[Array, "batch parameters"], *, newton_steps: int = 25
) -> tuple[
    Float[Array, "states batch"], Bool[Array, " batch"], Float[Array, "states states batch"]
]:
    """Find a rest of every member by damped Newton steps, stable or not.

    Args:
        system: The family of equations, taken at time 0.
        parameters: One member per row.
        newton_steps: Number of steps.

    Returns:
        The points reached, whether each is a rest, and the Jacobian there; the batch is last.
    """
    n = system.num_states
    low, width = system.box.low[:n, None], system.box.extent[:n, None]
    width = jnp.where(width > 0, width, jnp.maximum(jnp.abs(low), 1))
    _, args = jax.vmap(system.unpack, in_axes=0, out_axes=-1)(parameters)
    look = jax.vmap(functools.partial(_field_and_jacobian, system), in_axes=-1, out_axes=-1)
    start = jnp.broadcast_to(low + width / 2, (n, parameters.shape[0]))

    def body(y: Array, _: None) -> tuple[Array, None]:
        value, jacobian = look(y, args)
        step = -_eliminate(jacobian, value[:, None])[0][:, 0]
        longest = LONGEST_NEWTON_STEP * width
        return jnp.clip(y + jnp.clip(step, -longest, longest), low, low + width), None

    y, _ = lax.scan(body, start, None, length=newton_steps)
    value, jacobian = look(y, args)
    resting = (jnp.abs(value) < LARGEST_REST * width).all(0)
    return y, resting & jnp.isfinite(jacobian).all((0, 1)), jacobian


def is_unstable_focus(
    jacobian: Float[Array, "states states batch"], *, squarings: int = 9
) -> Bool[Array, " batch"]:
    """Whether a rest is unstable with an even number of unstable directions.

    The sign of ``det(-J)`` tells whether that number is even. Instability is seen on the Cayley
    transform ``C = (I - J)^-1 (I + J)``, which takes the right half plane outside the unit circle,
    by squaring it. For three states this is Routh's criterion for one stable real root and an
    unstable pair.

    Args:
        jacobian: Jacobian of every member, the batch last.
        squarings: How often the transform is squared.

    Returns:
        True where the rest is left by a growing oscillation.
    """
    n = jacobian.shape[0]
    one = jnp.eye(n, dtype=jacobian.dtype)[:, :, None]
    sign = _eliminate(-jacobian, jnp.zeros_like(jacobian[:, :1]))[1]
    cayley = _eliminate(one - jacobian, one + jacobian)[0]

    def square(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        power, log_size = carry
        product = (power[:, :, None] * power[None]).sum(1)
        size = jnp.maximum(jnp.abs(product).max((0, 1)), 1e-30)
        return (product / size[None, None], 2 * log_size + jnp.log(size)), None

    (_, log_size), _ = lax.scan(square, (cayley, jnp.zeros_like(sign)), None, length=squarings)
    # Powers of a stable matrix fall; this leaves room for those that first grow.
    return (sign > 0) & (log_size > np.log(10.0 * n))


def _eliminate(
    matrix: Float[Array, "states states batch"], right: Float[Array, "states columns batch"]
) -> tuple[Float[Array, "states columns batch"], Float[Array, " batch"]]:
    """Solve linear systems for a whole batch by Gauss-Jordan; also the sign of the determinant.

    Without exchange of rows: a vanishing pivot spoils single members only, which the callers test.
    """
    n = matrix.shape[0]
    table = jnp.concatenate([matrix, right], 1)
    sign = jnp.ones_like(matrix[0, 0])
    for k in range(n):
        pivot = table[k, k]
        pivot = jnp.where(jnp.abs(pivot) < SMALLEST_PIVOT, SMALLEST_PIVOT, pivot)
        sign = sign * jnp.sign(pivot)
        row = table[k] / pivot[None]
        others = jnp.array([i != k for i in range(n)])[:, None, None]
        table = jnp.where(others, table - table[:, k][:, None] * row[None], row[None])
    return table[:, n:], sign


def _field_and_jacobian(
    system: AbstractSystem, y: Float[Array, " states"], args: PyTree
) -> tuple[Array, Array]:
    def field(y: Array) -> tuple[Array, Array]:
        value = system.vector_field(jnp.zeros((), y.dtype), y, args)
        return value, value

    jacobian, value = jax.jacfwd(field, has_aux=True)(y)
    return value, jacobian
