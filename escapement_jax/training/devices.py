"""All local devices as one: a mesh over which the batch axis of a verb is laid.

Chains, rollouts, networks and segments of one batch do not talk to each other. Inside
`device_mesh` the places that are marked with `batched` are spread over the devices, and the
compiler does the rest, or each device runs its own part of the loops in `over_devices`; outside it
the marks do nothing, and the program is the one for a single device. (`jax.pmap` is in maintenance
mode; this is what its own documentation recommends.)
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.sharding import AxisType, NamedSharding, PartitionSpec

AXIS = "batch"
Tree = TypeVar("Tree")
_LOG = logging.getLogger(__name__)


@contextmanager
def device_mesh(
    devices: int | None = None, *, batch: int | None = None, what: str = "members"
) -> Iterator[int]:
    """Spread batches over local devices inside the block.

    Args:
        devices: How many to use; by default all.
        batch: Size of the batch, if it is one; as many devices are used as divide it.
        what: Name of the members of the batch, for a message.

    Yields:
        The number of devices in use.

    Raises:
        ValueError: There are fewer devices.
    """
    local = jax.local_devices()
    asked = len(local) if devices is None else devices
    if asked > len(local):
        raise ValueError(
            f"devices is {asked}, but there are {len(local)} ({local[0].device_kind}); give fewer"
        )
    used = asked if batch is None else largest_divisor(batch, asked)
    if used < asked:
        _LOG.warning(
            "%d %s are spread over %d of %d devices; a multiple of %d would use all",
            *(batch, what, used, asked, asked),
        )
    if used == 1:
        yield 1
        return
    mesh = jax.make_mesh((used,), (AXIS,), axis_types=(AxisType.Auto,), devices=local[:used])
    with jax.set_mesh(mesh):
        yield used


def largest_divisor(batch: int, most: int) -> int:
    """Return the largest divisor of a batch that is not more than the devices there are."""
    return next(number for number in range(min(most, batch), 0, -1) if batch % number == 0)


def num_devices() -> int:
    """Return the number of devices that batches are spread over; 1 outside `device_mesh`."""
    mesh = jax.sharding.get_abstract_mesh()
    return 1 if mesh.empty else mesh.size


def batched(tree: Tree, axis: int = 0) -> Tree:
    """Lay one axis of all arrays over the devices; they must divide it.

    Args:
        tree: Arrays, or what is traced.
        axis: The batch axis.
    """
    if num_devices() == 1:
        return tree
    return jax.tree.map(lambda leaf: _place(leaf, _spec(axis)), tree)


def gathered(tree: Tree) -> Tree:
    """Give every device all of the arrays."""
    if num_devices() == 1:
        return tree
    return jax.tree.map(lambda leaf: _place(leaf, PartitionSpec()), tree)


def padded(tree: Tree) -> Tree:
    """Repeat the last entry along the first axis until the devices divide it, and lay it out."""
    number = num_devices()

    def pad(leaf: jax.Array) -> jax.Array:
        missing = -leaf.shape[0] % number
        return jnp.concatenate([leaf, jnp.repeat(leaf[-1:], missing, axis=0)]) if missing else leaf

    return tree if number == 1 else batched(jax.tree.map(pad, tree))


def over_devices(
    function: Callable[..., Any], in_axes: Sequence[int | None], out_axes: Any
) -> Callable[..., Any]:
    """Return a function of batches that every device computes for its own part.

    Loops in it end on every device by themselves: left to the compiler, devices would wait for each
    other in every round.

    Args:
        function: Of batches whose members do not talk to each other; to be jitted.
        in_axes: The batch axis of each argument, None for what all devices share.
        out_axes: That of the results, as a pytree prefix.
    """

    def call(*arguments: Any) -> Any:
        if num_devices() == 1:
            return function(*arguments)
        outer = jax.tree.map(_spec, out_axes)
        inner = tuple(map(_spec, in_axes))
        spread = jax.shard_map(function, in_specs=inner, out_specs=outer, check_vma=False)
        return spread(*arguments)

    return call


def _spec(axis: int | None) -> PartitionSpec:
    return PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, AXIS)


def _place(leaf: jax.Array, spec: PartitionSpec) -> jax.Array:
    if isinstance(leaf, Tracer):
        return jax.lax.with_sharding_constraint(leaf, spec)
    return jax.device_put(leaf, NamedSharding(jax.sharding.get_mesh(), spec))
