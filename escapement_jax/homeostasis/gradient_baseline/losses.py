"""Losses of phase 2: rollouts, what the reactions leave over, and likeness of learned curves."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from escapement_jax.homeostasis.source_view.node_function import NodeFunction

Reactions = Callable[[Float[Array, " metabolites"]], Float[Array, " metabolites"]]

NUM_CURVE_POINTS = 9
MARGIN = 1.0
SAFE_NORM = 1e-12


def rollout_loss(
    node: NodeFunction,
    reactions: Reactions,
    segment: Float[Array, "frames metabolites"],
    *,
    time_step: Float[Array, ""],
    amplification: Float[Array, ""],
    length: Int[Array, ""],
    stop_gradient: Bool[Array, ""],
) -> Float[Array, ""]:
    """Return the mean square error of Euler steps from the first frame, over ``length`` of them.

    Steps beyond the length are not taken: the state stands still, so that they can neither
    overflow nor pass a gradient.

    Args:
        node: Homeostasis.
        reactions: ``dc/dt`` by the frozen reactions.
        segment: The frames to meet.
        time_step: Length of a step.
        amplification: Factor on the node's output.
        length: Steps that count.
        stop_gradient: Whether no gradient passes through the state.
    """

    def step(state: Array, target: tuple[Array, Array]) -> tuple[Array, Array]:
        frame, number = target
        state = jnp.where(stop_gradient, jax.lax.stop_gradient(state), state)
        moved = state + time_step * (reactions(state) + amplification * node(state))
        counts = number < length
        error = jnp.where(counts, ((moved - frame) ** 2).mean(), 0.0)
        return jnp.where(counts, moved, state), error

    numbers = jnp.arange(len(segment) - 1)
    _, errors = jax.lax.scan(step, segment[0], (segment[1:], numbers))
    return errors.sum() / length.astype(errors.dtype)


def residual_loss(
    node: NodeFunction,
    reactions: Reactions,
    concentrations: Float[Array, " metabolites"],
    derivatives: Float[Array, " metabolites"],
    *,
    amplification: Float[Array, ""],
) -> Float[Array, ""]:
    """Return the mean square of ``dc/dt - reactions - node`` at one frame.

    Args:
        node: Homeostasis.
        reactions: ``dc/dt`` by the frozen reactions.
        concentrations: Of the frame.
        derivatives: ``dc/dt`` of the frame.
        amplification: Factor on the node's output.
    """
    left_over = derivatives - reactions(concentrations)
    return ((amplification * node(concentrations) - left_over) ** 2).mean()


def contrastive_loss(
    node: NodeFunction, largest_concentration: Float[Array, ""]
) -> Float[Array, ""]:
    """Draw together embeddings of metabolites whose learned curves are alike, and part the others.

    Likeness is the cosine of two curves in units of their spread over the metabolites; no gradient
    passes through it. ``mean(s d^2 + (1 - s) max(0, 1 - d)^2)`` with s = 1 for positive cosines and
    d the distance of two embeddings.

    Args:
        node: Homeostasis.
        largest_concentration: Curves are compared from 0 to here.

    Source: R. Hadsell, S. Chopra & Y. LeCun, CVPR (2006).
    """
    points = jnp.linspace(0.0, 1.0, NUM_CURVE_POINTS, dtype=node.embeddings.dtype)
    curves = jax.lax.stop_gradient(node.curves(points * largest_concentration))
    centred = curves - curves.mean(axis=0, keepdims=True)
    norms = jnp.sqrt((centred**2).sum(axis=1, keepdims=True) + SAFE_NORM)
    alike = (centred / norms) @ (centred / norms).T > 0
    gaps = node.embeddings[:, None] - node.embeddings[None, :]
    distances = jnp.sqrt((gaps**2).sum(axis=-1) + SAFE_NORM)
    apart = jax.nn.relu(MARGIN - distances) ** 2
    return jnp.where(alike, distances**2, apart).mean()
