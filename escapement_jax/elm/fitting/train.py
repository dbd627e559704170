"""Train a network in one compiled run: epochs in a loop, batches in a scan."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.elm import TrainingRecipe
from escapement_jax.elm.fitting.plateau import EarlyStopping, Plateau
from escapement_jax.elm.networks.base import AbstractNetwork

Genotypes = Float[Array, "individuals inputs"]
Phenotypes = Float[Array, "individuals traits"]


class TrainingRun(eqx.Module):
    """The network at its lowest validation loss, and how training went.

    Entries of the losses after `num_epochs` are NaN.
    """

    network: AbstractNetwork
    train_loss: Float[Array, " max_epochs"]
    validation_loss: Float[Array, " max_epochs"]
    num_epochs: Int[Array, ""]
    best_epoch: Int[Array, ""]


class _Epochs(NamedTuple):
    """What is carried from epoch to epoch; arrays of the network only."""

    arrays: AbstractNetwork
    best: AbstractNetwork
    moments: optax.OptState
    plateau: Plateau
    stopping: EarlyStopping
    losses: Float[Array, "max_epochs 2"]
    epoch: Int[Array, ""]
    key: PRNGKey


def batch_loss(
    network: AbstractNetwork, genotypes: Genotypes, phenotypes: Phenotypes, kind: str
) -> Float[Array, ""]:
    """Return the mean absolute ("l1") or squared ("l2") error over individuals and traits."""
    error = jax.vmap(network)(genotypes) - phenotypes
    return jnp.mean(jnp.abs(error) if kind == "l1" else error**2)


@eqx.filter_jit
def train(
    network: AbstractNetwork,
    genotypes: Genotypes,
    phenotypes: Phenotypes,
    train_index: Int[Array, " train"],
    validation_index: Int[Array, " validation"],
    recipe: TrainingRecipe,
    *,
    key: PRNGKey,
) -> TrainingRun:
    """Train with AdamW, a plateau schedule and early stopping on the validation individuals.

    Args:
        network: where to start.
        genotypes: coded alleles of all individuals, of the network's dtype.
        phenotypes: their traits.
        train_index: individuals that the gradient sees.
        validation_index: individuals that steer the schedule and the stopping.
        recipe: loss, rates and limits.
        key: random key of the batches; an epoch leaves out what does not fill a batch.
    """
    arrays, rest = eqx.partition(network, eqx.is_inexact_array)
    direction = optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(recipe.weight_decay))

    def loss_of(arrays: AbstractNetwork, rows: Int[Array, " rows"]) -> Float[Array, ""]:
        whole = eqx.combine(arrays, rest)
        return batch_loss(whole, genotypes[rows], phenotypes[rows], recipe.loss)

    def step(carry: tuple, rows: Int[Array, " batch"]) -> tuple[tuple, Float[Array, ""]]:
        arrays, moments, rate = carry
        loss, gradient = jax.value_and_grad(loss_of)(arrays, rows)
        # optax counts steps in int32 and raises a float to that power.
        with jax.numpy_dtype_promotion("standard"):
            updates, moments = direction.update(gradient, moments, arrays)
        arrays = jax.tree.map(lambda weight, update: weight - rate * update, arrays, updates)
        return (arrays, moments, rate), loss

    def one_epoch(state: _Epochs) -> _Epochs:
        key, batch_key = jax.random.split(state.key)
        start = (state.arrays, state.moments, state.plateau.learning_rate)
        batches = _batches(train_index, recipe.batch_size, key=batch_key)
        (arrays, moments, _), losses = jax.lax.scan(step, start, batches)
        loss = loss_of(arrays, validation_index)
        stopping, fell = state.stopping.after(loss, state.epoch, recipe.min_delta)
        best = jax.tree.map(lambda new, old: jnp.where(fell, new, old), arrays, state.best)
        both = jnp.stack([jnp.mean(losses), loss])
        history = state.losses.at[state.epoch].set(both)
        plateau = state.plateau.after(loss)
        return _Epochs(arrays, best, moments, plateau, stopping, history, state.epoch + 1, key)

    def going(state: _Epochs) -> Array:
        patient = state.stopping.epochs_without_fall < recipe.patience
        return patient & (state.epoch < recipe.max_epochs)

    start = _start(arrays, direction.init(arrays), recipe, phenotypes.dtype, key)
    end = jax.lax.while_loop(going, one_epoch, start)
    train_loss, validation_loss = end.losses.T
    best = eqx.combine(end.best, rest)
    return TrainingRun(best, train_loss, validation_loss, end.epoch, end.stopping.best_epoch)


def _start(
    arrays: AbstractNetwork,
    moments: optax.OptState,
    recipe: TrainingRecipe,
    dtype: jnp.dtype,
    key: PRNGKey,
) -> _Epochs:
    stopping = EarlyStopping(jnp.asarray(jnp.inf, dtype), jnp.asarray(0), jnp.asarray(0))
    losses = jnp.full((recipe.max_epochs, 2), jnp.nan, dtype)
    plateau = Plateau.start(recipe.learning_rate, dtype)
    return _Epochs(arrays, arrays, moments, plateau, stopping, losses, jnp.asarray(0), key)


def _batches(
    index: Int[Array, " train"], batch_size: int, *, key: PRNGKey
) -> Int[Array, "batches batch"]:
    size = min(batch_size, index.shape[0])
    count = index.shape[0] // size
    return jax.random.permutation(key, index)[: count * size].reshape(count, size)
