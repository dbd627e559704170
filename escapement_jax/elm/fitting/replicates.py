"""Train many networks: side by side on an accelerator, one after the other on a CPU."""

from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.elm import TrainingRecipe
from escapement_jax.elm.fitting.train import Genotypes, Phenotypes, TrainingRun, train
from escapement_jax.elm.networks.base import AbstractNetwork
from escapement_jax.training.devices import gathered, num_devices, over_devices, padded
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.named_arrays import pack_tree, unpack_tree
from escapement_jax.training.progress import progress_bar

Stacked = TypeVar("Stacked", bound=eqx.Module)


def train_replicates(
    networks: AbstractNetwork,
    genotypes: Genotypes,
    phenotypes: Float[Array, "replicates individuals traits"],
    train_index: Int[Array, "replicates train"],
    validation_index: Int[Array, "replicates validation"],
    recipe: TrainingRecipe,
    *,
    key: PRNGKey,
    progress: bool = False,
    side_by_side: bool | None = None,
    keeper: Keeper | None = None,
) -> TrainingRun:
    """Train networks that are stacked along a leading axis; every result has that axis too.

    Args:
        networks: initial networks, arrays with a leading axis of replicates.
        genotypes: coded alleles, shared.
        phenotypes: what each network learns.
        train_index: individuals that each gradient sees.
        validation_index: individuals that steer each schedule.
        recipe: loss, rates and limits, shared.
        key: random key of the batches.
        progress: whether to show a bar.
        side_by_side: whether to train all at once; default: unless on a CPU, where it saves
            nothing (measured) unless it is taken for several devices.
        keeper: takes every network that is trained, if they are one by one, and brings those made
            before.
    """
    if side_by_side is None:
        side_by_side = jax.default_backend() != "cpu" or num_devices() > 1
    keys = jax.random.split(key, train_index.shape[0])

    def one(
        network: AbstractNetwork,
        phenotypes: Phenotypes,
        train_rows: Int[Array, " train"],
        validation_rows: Int[Array, " validation"],
        key: PRNGKey,
    ) -> TrainingRun:
        return train(network, genotypes, phenotypes, train_rows, validation_rows, recipe, key=key)

    if side_by_side:
        data = (phenotypes, train_index, validation_index, keys)
        return _side_by_side(networks, genotypes, data, recipe)
    runs = []
    with progress_bar(keys.shape[0], "networks", enabled=progress) as bar:
        for place in range(keys.shape[0]):
            rows = (train_index[place], validation_index[place])
            data = (phenotypes[place], *rows, keys[place])
            runs.append(_kept_or_made(one, member(networks, place), data, keeper, place))
            bar.update(1)
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *runs)


@eqx.filter_jit
def _side_by_side(
    networks: AbstractNetwork, genotypes: Genotypes, data: tuple, recipe: TrainingRecipe
) -> TrainingRun:
    """Train all networks at once, on all devices."""
    arrays, rest = eqx.partition(networks, eqx.is_array)

    def some(genotypes: Genotypes, arrays: AbstractNetwork, data: tuple) -> TrainingRun:
        def one(network: AbstractNetwork, *each: Array) -> TrainingRun:
            phenotypes, train_rows, validation_rows, key = each
            rows = (train_rows, validation_rows)
            return train(network, genotypes, phenotypes, *rows, recipe, key=key)

        return eqx.filter(eqx.filter_vmap(one)(eqx.combine(arrays, rest), *data), eqx.is_array)

    runs = over_devices(some, (None, 0, 0), 0)(genotypes, *padded((arrays, data)))
    runs = member(gathered(runs), slice(data[-1].shape[0]))
    return eqx.tree_at(lambda run: run.network, runs, eqx.combine(runs.network, rest))


def _kept_or_made(
    train_one: Callable[..., TrainingRun],
    network: AbstractNetwork,
    data: tuple[Array, ...],
    keeper: Keeper | None,
    place: int,
) -> TrainingRun:
    if keeper is None:
        return train_one(network, *data)
    section = f"network {place}"
    if (arrays := keeper.kept(section)) is not None:
        losses, count = jnp.zeros(0, data[0].dtype), jnp.asarray(0)
        return unpack_tree(TrainingRun(network, losses, losses, count, count), arrays)
    made = train_one(network, *data)
    keeper.offer(section, f"{place + 1} networks trained", lambda: pack_tree(made))
    return made


def member(networks: Stacked, place: int | slice) -> Stacked:
    """Return one or some of several stacked networks, or runs.

    Args:
        networks: networks whose arrays have a leading axis.
        place: which.
    """
    return jax.tree.map(lambda leaf: leaf[place] if eqx.is_array(leaf) else leaf, networks)
