"""Goals that flow to where there is learning progress (IMFlow of AutoDiscJax)."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.diversity.grid import DescriptorGrid
from escapement_jax.curiosity.experiment import Observations
from escapement_jax.curiosity.search.base import AbstractStrategy
from escapement_jax.curiosity.search.descriptor_goals import mutate_nearest
from escapement_jax.curiosity.search.goals import hypercube_goals, nearest_rows, reached_extent
from escapement_jax.curiosity.search.library import Library, Proposal
from escapement_jax.curiosity.systems.box import Box


class RecentGoals(eqx.Module):
    """The last goals, newest last, in units of the extent.

    Attributes:
        goals: Where they were.
        set_at: Rollouts there had been when each was set; -1 for places not used yet.
    """

    goals: Float[Array, "window descriptors"]
    set_at: Int[Array, " window"]


class LearningProgressFlow(AbstractStrategy):
    """Goals follow the gradient of learning progress.

    The progress of a recent goal g is how much nearer the nearest found behaviour has come since
    it was set: ``LP(g) = |g - before| - |g - now|``. A new goal starts at one of the last goals,
    drawn by ``softmax(value LP / |extent|)``, moves by ``gradient |extent|`` along the slope of its
    progress and is blurred by noise; a share of the goals is drawn from the enlarged box instead.

    Attributes:
        box: Bounds of the parameters.
        grid: Space of behaviours.
        scaling: Enlargement of the box of goals.
        mutation: Scale of mutations, in units of the box.
        value: How strongly progress attracts.
        gradient: Length of the move along the slope.
        noise: Blur, relative to the reached extent.
        at_random: Share of goals from the enlarged box.
        window: Number of recent goals.
    """

    box: Box
    grid: DescriptorGrid
    scaling: float = eqx.field(static=True, default=1.3)
    mutation: float = eqx.field(static=True, default=0.05)
    value: float = eqx.field(static=True, default=10.0)
    gradient: float = eqx.field(static=True, default=0.4)
    noise: float = eqx.field(static=True, default=0.1)
    at_random: float = eqx.field(static=True, default=0.2)
    window: int = eqx.field(static=True, default=100)

    def init(self, capacity: int, num_embedding: int) -> RecentGoals:
        """Return a window without goals."""
        del capacity, num_embedding
        goals = jnp.zeros((self.window, len(self.grid.shape)), self.box.low.dtype)
        return RecentGoals(goals, jnp.full(self.window, -1, jnp.int32))

    def ask(
        self, library: Library, memory: RecentGoals, batch_size: int, *, key: PRNGKey
    ) -> tuple[Proposal, RecentGoals]:
        """Set goals by progress, and mutate the found rollouts nearest to them."""
        box_key, flow_key, mix_key, mutation_key = jax.random.split(key, 4)
        points = self.grid.to_unit(library.descriptors)
        low, high = reached_extent(points, library.found)
        drawn = hypercube_goals(low, high, batch_size, self.scaling, key=box_key)
        flowing = self._flow(library, memory, points, high - low, batch_size, key=flow_key)
        fresh = jax.random.uniform(mix_key, (batch_size, 1)) < self.at_random
        goals = jnp.where(fresh | (memory.set_at.max() < 0), drawn, flowing)
        proposal = mutate_nearest(self.box, library, points, goals, self.mutation, key=mutation_key)
        now = jnp.full(batch_size, library.num_done, jnp.int32)
        kept = jnp.concatenate([memory.goals, goals])[-self.window :]
        return proposal, RecentGoals(kept, jnp.concatenate([memory.set_at, now])[-self.window :])

    def tell(
        self, library: Library, memory: RecentGoals, proposal: Proposal, seen: Observations
    ) -> RecentGoals:
        """Learn nothing more: progress is computed from the library."""
        del library, proposal, seen
        return memory

    def describe(self) -> dict[str, Any]:
        """Return the name and the settings."""
        names = ("scaling", "mutation", "value", "gradient", "noise", "at_random", "window")
        return {"kind": "imflow"} | {name: getattr(self, name) for name in names}

    def _flow(
        self,
        library: Library,
        memory: RecentGoals,
        points: Float[Array, "rows descriptors"],
        extent: Float[Array, " descriptors"],
        number: int,
        *,
        key: PRNGKey,
    ) -> Float[Array, "number descriptors"]:
        pick_key, blur_key = jax.random.split(key)
        size = jnp.linalg.norm(extent)
        progress, slope = self._progress(library, memory, points)
        used = memory.set_at >= 0
        charm = jnp.where(used, self.value * progress / size, -jnp.inf)
        # Before there are goals the flow is not used; any finite choice will do.
        charm = jnp.where(used.any(), charm, 0)
        pick = jax.random.categorical(pick_key, charm, shape=(number,))
        blur = jax.random.normal(blur_key, (number, extent.shape[0]), extent.dtype)
        moved = memory.goals[pick] + self.gradient * size * slope[pick]
        return moved + self.noise * extent[None] * blur

    def _progress(
        self, library: Library, memory: RecentGoals, points: Float[Array, "rows descriptors"]
    ) -> tuple[Float[Array, " window"], Float[Array, "window descriptors"]]:
        """Return the progress of recent goals and its slope."""
        rows = jnp.arange(library.capacity, dtype=jnp.int32)
        since = jnp.min(jnp.where(memory.set_at >= 0, memory.set_at, library.num_done))
        earlier = library.found & (rows < since)
        before = points[nearest_rows(points, earlier, memory.goals, library.num_done)[0]]
        now = points[nearest_rows(points, library.found, memory.goals, library.num_done)[0]]

        def gain(goal: Array, before: Array, now: Array) -> Array:
            return _distance(goal, before) - _distance(goal, now)

        return jax.vmap(jax.value_and_grad(gain))(memory.goals, before, now)


def _distance(a: Float[Array, " n"], b: Float[Array, " n"]) -> Float[Array, ""]:
    """Return the distance, with gradient 0 where it vanishes."""
    square = jnp.square(a - b).sum()
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
