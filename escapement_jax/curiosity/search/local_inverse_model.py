"""Which step in parameter space leads to a given step in the space of behaviours."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def ridge_slopes(
    steps: Float[Array, "batch neighbours parameters"],
    changes: Float[Array, "batch neighbours descriptors"],
    weights: Float[Array, "batch neighbours"],
    ridge: float,
) -> Float[Array, "batch descriptors parameters"]:
    """Fit descriptors as a linear function of parameters around a point.

    ``J^T = (X^T W X + ridge I)^-1 X^T W Y``, or with many parameters the equal
    ``X'^T (X' X'^T + ridge I)^-1 Y'`` with ``X' = W^1/2 X``: the smaller system is solved.

    Args:
        steps: Parameters of neighbours minus those of the point, X.
        changes: Their descriptors minus those of the point, Y.
        weights: Weight of every neighbour, W.
        ridge: Penalty on squared slopes.

    Returns:
        Slopes J of every descriptor along every parameter.
    """
    root = jnp.sqrt(weights)[..., None]
    x, y = root * steps, root * changes
    num_neighbours, num_parameters = x.shape[-2:]
    if num_parameters <= num_neighbours:
        gram = _damped(jnp.einsum("bki,bkj->bij", x, x), ridge)
        slopes = jnp.linalg.solve(gram, jnp.einsum("bki,bkc->bic", x, y))
    else:
        gram = _damped(jnp.einsum("bki,bli->bkl", x, x), ridge)
        slopes = jnp.einsum("bki,bkc->bic", x, jnp.linalg.solve(gram, y))
    return slopes.swapaxes(-1, -2)


def smallest_step(
    slopes: Float[Array, "batch descriptors parameters"],
    change: Float[Array, "batch descriptors"],
    ridge: float,
    longest: float,
) -> Float[Array, "batch parameters"]:
    """Return the least step that brings a change: ``J^T (J J^T + ridge I)^-1 change``, shortened.

    Args:
        slopes: Slopes J.
        change: Wanted change of the descriptors.
        ridge: Damping where J is nearly singular.
        longest: Longest step allowed.

    Returns:
        Steps in parameter space.
    """
    gram = _damped(jnp.einsum("bci,bdi->bcd", slopes, slopes), ridge)
    step = jnp.einsum("bci,bc->bi", slopes, jnp.linalg.solve(gram, change[..., None])[..., 0])
    length = jnp.linalg.norm(step, axis=-1, keepdims=True)
    return step * jnp.minimum(1, longest / (length + 1e-9))


def _damped(gram: Float[Array, "batch n n"], ridge: float) -> Float[Array, "batch n n"]:
    return gram + ridge * jnp.eye(gram.shape[-1], dtype=gram.dtype)[None]
