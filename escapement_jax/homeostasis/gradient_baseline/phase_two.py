"""Phase 2 of the published recipe: homeostasis learned with the reactions frozen."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int
from tqdm import tqdm

from escapement_jax.array_types import PRNGKey
from escapement_jax.homeostasis.gradient_baseline.frames import TrainingFrames
from escapement_jax.homeostasis.gradient_baseline.losses import (
    Reactions,
    contrastive_loss,
    residual_loss,
    rollout_loss,
)
from escapement_jax.homeostasis.gradient_baseline.recipe import Recipe, TracedRecipe, traced
from escapement_jax.homeostasis.gradient_baseline.substrate_network import single_precision
from escapement_jax.homeostasis.gradient_baseline.training_loop import train
from escapement_jax.homeostasis.source_view.node_function import (
    NodeFunction,
    untrained_node_function,
)

NUM_SCALES = 4
CLIP = 1.0
"""Largest norm of a gradient."""

TrialState = tuple[NodeFunction, optax.OptState]


def train_phase_two(
    reactions: Reactions,
    frames: TrainingFrames,
    recipes: list[Recipe],
    *,
    batch: int,
    num_steps: int,
    key: PRNGKey,
    bar: tqdm | None = None,
) -> tuple[list[NodeFunction], Float[np.ndarray, "trials chunks"]]:
    """Train one node function for every recipe, side by side.

    All start alike and see the same batches. The time of a step is that of the longest rollout
    among them.

    Args:
        reactions: ``dc/dt`` by the frozen reactions, in single precision.
        frames: Data.
        recipes: One per trial.
        batch: Rollouts per batch.
        num_steps: Steps.
        key: Random key.
        bar: Progress bar to advance by steps.

    Returns:
        The trained node functions, amplification included; and the mean loss of every trial in
        every chunk of steps.
    """
    longest = max(recipe.rollout_length for recipe in recipes)
    start_key, train_key = jax.random.split(key)
    num_metabolites = frames.concentrations.shape[-1]
    start = single_precision(untrained_node_function(num_metabolites, key=start_key))
    context = Context(reactions, frames, traced(recipes), longest, batch, num_steps)
    state = eqx.filter_vmap(lambda recipe: (start, _optimiser(recipe).init(_parameters(start))))(
        context.recipes
    )
    (nodes, _), losses = train(_step, state, context, num_steps, key=train_key, bar=bar)
    return [_deployed(nodes, index, recipe) for index, recipe in enumerate(recipes)], losses


class Context(eqx.Module):
    """What all steps of phase 2 share."""

    reactions: Reactions
    frames: TrainingFrames
    recipes: TracedRecipe
    longest: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    num_steps: int = eqx.field(static=True)


def _step(
    states: TrialState, context: Context, number: Int[Array, ""], key: PRNGKey
) -> tuple[TrialState, Float[Array, " trials"]]:
    batch_key, scale_key = jax.random.split(key)
    segments = _segments(context, batch_key)
    scale = jax.random.randint(scale_key, (), 0, NUM_SCALES)
    progress = (number / context.num_steps).astype(jnp.float32)

    @eqx.filter_vmap
    def one_trial(state: TrialState, recipe: TracedRecipe) -> tuple[TrialState, Array]:
        length = recipe.length_at(progress, scale)
        loss, gradient = eqx.filter_value_and_grad(_loss)(
            state[0], context, segments, recipe, length
        )
        return _updated(state, gradient, recipe, progress), loss

    return one_trial(states, context.recipes)


def _parameters(node: NodeFunction) -> NodeFunction:
    return eqx.filter(node, eqx.is_inexact_array)


def _optimiser(recipe: TracedRecipe) -> optax.MultiSteps:
    """Adam on clipped gradients, averaged over as many as the recipe accumulates."""
    inner = optax.chain(optax.clip_by_global_norm(CLIP), optax.scale_by_adam())
    every = recipe.accumulation.astype(jnp.int32)  # Optax counts in int32.
    return optax.MultiSteps(inner, every_k_schedule=lambda _: every)


def _updated(
    state: TrialState, gradient: NodeFunction, recipe: TracedRecipe, progress: Float[Array, ""]
) -> TrialState:
    node, optimiser_state = state
    updates, optimiser_state = _optimiser(recipe).update(
        gradient, optimiser_state, _parameters(node)
    )
    factor = recipe.rate_at(progress)
    network = jax.tree.map(lambda leaf: -factor * recipe.learning_rate_node * leaf, updates.network)
    embeddings = -factor * recipe.learning_rate_embedding * updates.embeddings
    return eqx.apply_updates(node, NodeFunction(network, embeddings)), optimiser_state


def _segments(context: Context, key: PRNGKey) -> Float[Array, "batch frames metabolites"]:
    frames, shape = context.frames, (context.batch,)
    trajectory_key, frame_key = jax.random.split(key)
    trajectories = jax.random.randint(trajectory_key, shape, 0, len(frames.concentrations))
    starts = jax.random.randint(frame_key, shape, 0, frames.num_frames - context.longest)
    return frames.segments(trajectories, starts, context.longest)


def _loss(
    node: NodeFunction,
    context: Context,
    segments: Float[Array, "batch frames metabolites"],
    recipe: TracedRecipe,
    length: Int[Array, ""],
) -> Float[Array, ""]:
    frames = context.frames
    rollouts = jax.vmap(
        lambda segment: rollout_loss(
            node,
            context.reactions,
            segment,
            time_step=frames.time_step,
            amplification=recipe.amplification,
            length=length,
            stop_gradient=recipe.stop_gradient,
        )
    )(segments)
    derivatives = (segments[:, 1] - segments[:, 0]) / frames.time_step
    residuals = jax.vmap(
        lambda frame, derivative: residual_loss(
            node, context.reactions, frame, derivative, amplification=recipe.amplification
        )
    )(segments[:, 0], derivatives)
    alike = contrastive_loss(node, 3.0 * frames.concentrations.std())
    return (
        # Direct supervision replaces the rollout, it does not add to it.
        jnp.where(recipe.residual > 0, 0.0, rollouts.mean())
        + recipe.residual * residuals.mean()
        + recipe.contrastive * alike
    )


def _deployed(nodes: NodeFunction, index: int, recipe: Recipe) -> NodeFunction:
    """Take one trial, with its amplification as part of the output layer."""
    node = jax.tree.map(lambda leaf: leaf[index] if eqx.is_array(leaf) else leaf, nodes)
    return eqx.tree_at(
        lambda tree: (tree.network.layers[-1].weight, tree.network.layers[-1].bias),
        node,
        replace_fn=lambda leaf: leaf * recipe.amplification,
    )
