"""Adam with a learning rate for each group of parameters, clipped together, joint or in turns."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Int, PyTree

Groups = dict[str, PyTree]


@dataclass(frozen=True)
class GroupedAdam:
    """Adam (Kingma & Ba 2015) on named groups of parameters.

    Attributes:
        learning_rates: one for each group.
        clip: largest norm of the gradient of all groups together; longer ones are scaled down.
    """

    learning_rates: Mapping[str, float]
    clip: float = 5.0

    def init(self, parameters: Groups) -> Groups:
        """Moments before the first step.

        Raises:
            ValueError: a group has no learning rate.
        """
        missing = sorted(set(parameters) - set(self.learning_rates))
        if missing:
            raise ValueError(f"no learning rate for {', '.join(missing)}; name one for every group")
        return {name: self._adam(name).init(group) for name, group in parameters.items()}

    def step(
        self,
        parameters: Groups,
        gradients: Groups,
        moments: Groups,
        active: Mapping[str, Bool[Array, ""]],
    ) -> tuple[Groups, Groups]:
        """Move the active groups one step down the gradient; the others keep their moments too.

        Args:
            parameters: groups of arrays.
            gradients: of what is minimised.
            moments: from `init` or the step before.
            active: whether each group moves; missing ones do.

        Returns:
            Parameters and moments.
        """
        squares = [jnp.sum(slope**2) for slope in jax.tree.leaves(gradients)]
        norm = jnp.sqrt(sum(squares))
        shrink = jnp.minimum(1.0, self.clip / jnp.maximum(norm, self.clip))
        moved, updated = {}, {}
        for name, group in parameters.items():
            clipped = jax.tree.map(
                lambda slope: slope * shrink.astype(slope.dtype), gradients[name]
            )
            # optax counts steps in int32 and raises a float to that power.
            with jax.numpy_dtype_promotion("standard"):
                steps, state = self._adam(name).update(clipped, moments[name], group)
            after = optax.apply_updates(group, steps)
            moves = active.get(name, jnp.asarray(True))
            moved[name] = _choose(moves, after, group)
            updated[name] = _choose(moves, state, moments[name])
        return moved, updated

    def _adam(self, name: str) -> optax.GradientTransformation:
        return optax.adam(self.learning_rates[name])


def taking_turns(step: Int[Array, ""], periods: Mapping[str, int]) -> dict[str, Bool[Array, ""]]:
    """Which group moves at a step, if each in turn moves for a number of steps.

    Args:
        step: counted from 0.
        periods: number of steps of each group, in order.
    """
    place = step % sum(periods.values())
    active, start = {}, 0
    for name, period in periods.items():
        active[name] = (place >= start) & (place < start + period)
        start += period
    return active


def _choose(condition: Bool[Array, ""], chosen: PyTree, otherwise: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), chosen, otherwise)
