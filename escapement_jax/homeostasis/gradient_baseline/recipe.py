"""A way to train phase 2: the eight published strategies as numbers, so that many run at once."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Options of one trial of phase 2; the defaults are the plain published rollout.

    Attributes:
        rollout_length: Steps of a rollout.
        learning_rate_node: Of the node network.
        learning_rate_embedding: Of the embeddings.
        residual: Strategy 1, the weight of direct supervision by what the reactions leave over.
        amplification: Strategy 2, the factor on the network's output while it is trained; it is
            part of the result, so that nothing is left to undo.
        contrastive: Strategy 3, the weight of a loss that draws together the embeddings of
            metabolites with similar learned curves. It sees no labels.
        curriculum: Strategy 4, the length is halved for the second half of training.
        warm_up: Strategy 5, the share of training over which learning rates rise from zero.
        cosine: Strategy 5, whether learning rates then fall to zero along a cosine.
        multi_scale: Strategy 6, every step draws its length from 1/16, 1/4, 1/2 and all of it.
        accumulation: Strategy 7, gradients averaged for one step.
        stop_gradient: Strategy 8, the gradient does not pass through the state of a rollout.
    """

    rollout_length: int = 4
    learning_rate_node: float = 1e-2
    learning_rate_embedding: float = 1e-3
    residual: float = 0.0
    amplification: float = 1.0
    contrastive: float = 0.0
    curriculum: bool = False
    warm_up: float = 0.0
    cosine: bool = False
    multi_scale: bool = False
    accumulation: int = 1
    stop_gradient: bool = False

    @property
    def strategies(self) -> str:
        """Numbers of the published strategies in use, or `plain`."""
        used = (
            self.residual > 0,
            self.amplification != 1,
            self.contrastive > 0,
            self.curriculum,
            self.warm_up > 0 or self.cosine,
            self.multi_scale,
            self.accumulation > 1,
            self.stop_gradient,
        )
        numbers = [str(number) for number, on in enumerate(used, start=1) if on]
        return "+".join(numbers) or "plain"


class TracedRecipe(eqx.Module):
    """A recipe as arrays, so that trials can be vmapped; see `Recipe` for the fields."""

    rollout_length: Int[Array, "*trials"]
    learning_rate_node: Float[Array, "*trials"]
    learning_rate_embedding: Float[Array, "*trials"]
    residual: Float[Array, "*trials"]
    amplification: Float[Array, "*trials"]
    contrastive: Float[Array, "*trials"]
    curriculum: Bool[Array, "*trials"]
    warm_up: Float[Array, "*trials"]
    cosine: Bool[Array, "*trials"]
    multi_scale: Bool[Array, "*trials"]
    accumulation: Int[Array, "*trials"]
    stop_gradient: Bool[Array, "*trials"]

    def length_at(self, progress: Float[Array, ""], scale: Int[Array, ""]) -> Int[Array, ""]:
        """Return the length of rollouts.

        Args:
            progress: Share of the training that is over.
            scale: Drawn for this step, 0 to 3.
        """
        length = jnp.where(
            self.curriculum & (progress >= 0.5), self.rollout_length // 2, self.rollout_length
        )
        divisor = jnp.asarray([1, 2, 4, 16], dtype=length.dtype)[scale]
        return jnp.maximum(jnp.where(self.multi_scale, length // divisor, length), 1)

    def rate_at(self, progress: Float[Array, ""]) -> Float[Array, ""]:
        """Return the factor on both learning rates.

        Args:
            progress: Share of the training that is over.
        """
        rise = jnp.where(self.warm_up > 0, progress / jnp.maximum(self.warm_up, 1e-6), 1.0)
        later = jnp.clip((progress - self.warm_up) / jnp.maximum(1 - self.warm_up, 1e-6), 0.0, 1.0)
        fall = jnp.where(self.cosine, 0.5 * (1 + jnp.cos(jnp.pi * later)), 1.0)
        return jnp.minimum(rise, 1.0) * fall


def traced(recipes: list[Recipe]) -> TracedRecipe:
    """Stack recipes; every field of the result leads with them.

    Args:
        recipes: One or more.
    """
    dtypes = {float: jnp.float32, int: int, bool: jnp.bool_}
    return TracedRecipe(
        **{
            field.name: jnp.asarray(
                [getattr(recipe, field.name) for recipe in recipes],
                dtype=dtypes[type(field.default)],
            )
            for field in dataclasses.fields(Recipe)
        }
    )
