"""Phase 1 of the published recipe: reactions learned from derivatives, homeostasis left out."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int
from tqdm import tqdm

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.gradient_baseline import GradientConfig
from escapement_jax.homeostasis.gradient_baseline.frames import TrainingFrames
from escapement_jax.homeostasis.gradient_baseline.substrate_network import SubstrateNetwork
from escapement_jax.homeostasis.gradient_baseline.training_loop import train

State = tuple[SubstrateNetwork, optax.OptState]

NUM_POINTS = 100
SAFE_NORM = 1e-12


def train_phase_one(
    model: SubstrateNetwork,
    frames: TrainingFrames,
    config: GradientConfig,
    *,
    key: PRNGKey,
    bar: tqdm | None = None,
) -> tuple[SubstrateNetwork, Float[np.ndarray, " chunks"]]:
    """Train the reactions on single frames, as published.

    The loss is the sum over a batch of ``|dc/dt - y|`` (a norm, not squared), with penalties on a
    substrate network that falls with concentration or is not 1 at 1, and on small rate constants.

    Args:
        model: The untrained model.
        frames: Data.
        config: Steps, batch, learning rates and penalties.
        key: Random key.
        bar: Progress bar to advance by steps.

    Returns:
        The trained model, and the mean loss of every chunk of steps.
    """
    points = jnp.linspace(0.1, 3.0 * jnp.std(frames.concentrations), NUM_POINTS)
    optimiser_state = _optimiser(config).init(eqx.filter(model, eqx.is_inexact_array))
    context = frames, points.astype(jnp.float32), config
    (trained, _), losses = train(
        _step, (model, optimiser_state), context, config.phase_one_steps, key=key, bar=bar
    )
    return trained, losses


def _step(
    state: State,
    context: tuple[TrainingFrames, Float[Array, " points"], GradientConfig],
    number: Int[Array, ""],
    key: PRNGKey,
) -> tuple[State, Array]:
    del number
    model, optimiser_state = state
    frames, points, config = context
    batch = _batch(frames, config.phase_one_batch, key)
    loss, gradient = eqx.filter_value_and_grad(_loss)(model, *batch, points, config)
    updates, optimiser_state = _optimiser(config).update(
        gradient, optimiser_state, eqx.filter(model, eqx.is_inexact_array)
    )
    return (eqx.apply_updates(model, updates), optimiser_state), loss


def _optimiser(config: GradientConfig) -> optax.GradientTransformation:
    return optax.multi_transform(
        {
            "rates": optax.adam(config.learning_rate_rates),
            "law": optax.adam(config.learning_rate_law),
            "frozen": optax.set_to_zero(),
        },
        _labels,
    )


def _labels(model: SubstrateNetwork) -> SubstrateNetwork:
    labels = jax.tree.map(lambda _: "frozen", model)
    labels = eqx.tree_at(lambda tree: tree.log10_rates, labels, "rates")
    return eqx.tree_at(
        lambda tree: tree.network, labels, jax.tree.map(lambda _: "law", model.network)
    )


def _batch(frames: TrainingFrames, size: int, key: PRNGKey) -> tuple[Array, Array]:
    trajectories, num_frames = frames.derivatives.shape[:2]
    chosen = jax.random.randint(key, (size,), 0, trajectories * num_frames)
    place = chosen // num_frames, chosen % num_frames
    return frames.concentrations[place], frames.derivatives[place]


def _loss(
    model: SubstrateNetwork,
    concentrations: Float[Array, "batch metabolites"],
    derivatives: Float[Array, "batch metabolites"],
    points: Float[Array, " points"],
    config: GradientConfig,
) -> Float[Array, ""]:
    errors = jax.vmap(model)(concentrations) - derivatives
    fit = jnp.sqrt((errors**2).sum(axis=1) + SAFE_NORM).sum()
    return fit + _penalties(model, points, config)


def _penalties(
    model: SubstrateNetwork, points: Float[Array, " points"], config: GradientConfig
) -> Float[Array, ""]:
    order = model.orders[0]
    curve = model.factors(points, order)
    falls = jnp.sqrt((jax.nn.relu(curve[:-1] - curve[1:]) ** 2).sum() + SAFE_NORM)
    at_one = model.factors(jnp.ones_like(points[:1]), order)[0]
    small = (jax.nn.relu(config.rate_floor - model.log10_rates) ** 2).sum()
    return config.monotonicity * falls + config.normalisation * (at_one - 1) ** 2 + small
