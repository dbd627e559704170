"""Pytrees as named arrays and back, for checkpoints."""

from collections.abc import Mapping
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

Tree = TypeVar("Tree")


def pack_tree(tree: object) -> dict[str, np.ndarray]:
    """Return every array of a pytree by its path, such as `.model.pairs`; random keys as numbers.

    Args:
        tree: Any pytree; what is no array in it is left out.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(tree, eqx.is_array))
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): _as_numbers(leaf)
        for path, leaf in leaves
    }


def unpack_tree(template: Tree, arrays: Mapping[str, np.ndarray]) -> Tree:
    """Return a pytree with its arrays replaced by those that were packed.

    Args:
        template: A pytree of the same structure; shapes of its arrays do not matter.
        arrays: What `pack_tree` has returned.

    Raises:
        ValueError: The structures differ; names the first array that does.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(eqx.filter(template, eqx.is_array))
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    for name in sorted({*names} ^ {*arrays}):
        raise ValueError(
            f"the checkpoint {'lacks' if name in names else 'has a stray'} array {name!r}; resume "
            "with the version that wrote it"
        )
    new = [_like(leaf, arrays[name]) for name, (_, leaf) in zip(names, leaves, strict=True)]
    return eqx.combine(jax.tree.unflatten(structure, new), template)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _as_numbers(leaf: Any) -> np.ndarray:
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _like(leaf: Any, array: np.ndarray) -> Any:
    if _is_key(leaf):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    return jnp.asarray(array) if isinstance(leaf, jax.Array) else array
