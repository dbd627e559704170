"""The training loop: schedule, stopping, what it can learn, one compilation."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.config.elm import DecomposeConfig, TrainingRecipe
from escapement_jax.elm.debiasing.residual_network import stacked_networks
from escapement_jax.elm.fitting.plateau import EarlyStopping, Plateau
from escapement_jax.elm.fitting.replicates import train_replicates
from escapement_jax.elm.fitting.train import batch_loss, train
from escapement_jax.elm.networks import AbstractNetwork, build_network

RECIPE = TrainingRecipe(
    width=16,
    loss="l2",
    learning_rate=1e-2,
    weight_decay=0.0,
    batch_size=32,
    max_epochs=25,
    patience=25,
    min_delta=0.0,
)


def data(individuals=160, loci=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.choice([-1.0, 1.0], (individuals, loci))
    y = np.stack([x[:, 0] + 0.5 * x[:, 1] * x[:, 2], x[:, 3] - x[:, 4]], axis=1)
    return jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)


def torch_schedule(losses, rate=1.0, patience=3, factor=0.5, threshold=1e-4):
    """`ReduceLROnPlateau` as PyTorch writes it."""
    best, bad, rates = np.inf, 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
        rates.append(rate)
    return rates


def test_the_schedule_is_pytorchs():
    losses = [1.0, 0.9, 0.95, 0.91, 0.92, 0.93, 0.94, 0.5, 0.5, 0.5, 0.5, 0.5, 0.49, 0.6]
    state, rates = Plateau.start(1.0, jnp.dtype(jnp.float64)), []
    for loss in losses:
        state = state.after(jnp.asarray(loss))
        rates.append(float(state.learning_rate))
    assert rates == torch_schedule(losses)
    assert min(rates) < 1.0


def test_stopping_counts_falls_larger_than_the_threshold():
    state = EarlyStopping(jnp.asarray(jnp.inf), jnp.asarray(0), jnp.asarray(0))
    for epoch, loss in enumerate([1.0, 0.99, 0.8, 0.79]):
        state, fell = state.after(jnp.asarray(loss), jnp.asarray(epoch), 0.05)
    assert not bool(fell)
    assert int(state.best_epoch) == 2
    assert int(state.epochs_without_fall) == 1
    assert float(state.lowest) == 0.8


def test_training_learns_and_keeps_the_best_network():
    x, y = data()
    network = build_network("mlp", 5, 16, 2, constant_channel=True, key=jax.random.key(1))
    rows = jnp.arange(160)
    run = train(network, x, y, rows[:128], rows[128:], RECIPE, key=jax.random.key(2))
    losses = np.asarray(run.validation_loss)[: int(run.num_epochs)]
    assert int(np.argmin(losses)) == int(run.best_epoch)
    kept = batch_loss(run.network, x[128:], y[128:], "l2")
    np.testing.assert_allclose(kept, losses.min(), rtol=1e-5)
    before = batch_loss(network, x[128:], y[128:], "l2")
    assert losses.min() < 0.2 * float(before)


def test_training_stops_when_the_validation_loss_no_longer_falls():
    x, y = data()
    network = build_network("mlp", 5, 16, 2, constant_channel=True, key=jax.random.key(1))
    impatient = dataclasses.replace(RECIPE, patience=2, min_delta=10.0)
    rows = jnp.arange(160)
    run = train(network, x, y, rows[:128], rows[128:], impatient, key=jax.random.key(2))
    # The first epoch falls from infinity, the next two fall by less than ten.
    assert int(run.num_epochs) == 3
    assert int(run.best_epoch) == 0
    assert bool(jnp.all(jnp.isnan(run.validation_loss[3:])))


class Counted(AbstractNetwork):
    """A network that notes how often it is traced."""

    inner: AbstractNetwork
    traces: list = eqx.field(static=True)

    def __call__(self, genotype, *, detach=False):
        self.traces.append(1)
        return self.inner(genotype, detach=detach)


class Traces(list):
    """A list that may be part of a compiled program's identity."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def test_replicates_compile_once_and_side_by_side_is_one_after_the_other():
    x, y = data()
    networks = stacked_networks(DecomposeConfig(width=16), 5, 2, 2, key=jax.random.key(4))
    rows = jnp.asarray(np.stack([np.arange(160), np.arange(160)[::-1]]))
    recipe = dataclasses.replace(RECIPE, max_epochs=3)

    def losses(side_by_side, count):
        traces = Traces()
        chosen = jax.tree.map(lambda leaf: leaf[:count], networks)
        run = train_replicates(
            Counted(chosen, traces),
            x,
            jnp.stack([y, -y])[:count],
            rows[:count, :128],
            rows[:count, 128:],
            recipe,
            key=jax.random.key(5),
            side_by_side=side_by_side,
        )
        return run.validation_loss, len(traces)

    loop, traces_of_two = losses(False, 2)
    together, _ = losses(True, 2)
    _, traces_of_one = losses(False, 1)
    assert traces_of_two == traces_of_one
    np.testing.assert_allclose(loop, together, rtol=1e-4)
