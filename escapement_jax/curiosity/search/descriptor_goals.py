"""Goal exploration in the space of behaviours."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.diversity.grid import DescriptorGrid
from escapement_jax.curiosity.experiment import Observations
from escapement_jax.curiosity.search.base import AbstractStrategy
from escapement_jax.curiosity.search.goals import hypercube_goals, nearest_rows, reached_extent
from escapement_jax.curiosity.search.library import Library, Proposal
from escapement_jax.curiosity.search.variation import gaussian
from escapement_jax.curiosity.systems.box import Box


class DescriptorGoals(AbstractStrategy):
    """Goals drawn in the enlarged box of what was found; the nearest found rollout is mutated."""

    box: Box
    grid: DescriptorGrid
    scaling: float = eqx.field(static=True, default=1.3)
    mutation: float = eqx.field(static=True, default=0.05)

    def init(self, capacity: int, num_embedding: int) -> PyTree[Array]:
        """Return an empty memory."""
        del capacity, num_embedding
        return ()

    def ask(
        self, library: Library, memory: PyTree[Array], batch_size: int, *, key: PRNGKey
    ) -> tuple[Proposal, PyTree[Array]]:
        """Draw goals, and mutate the found rollouts nearest to them."""
        goal_key, mutation_key = jax.random.split(key)
        points = self.grid.to_unit(library.descriptors)
        low, high = reached_extent(points, library.found)
        goals = hypercube_goals(low, high, batch_size, self.scaling, key=goal_key)
        proposal = mutate_nearest(self.box, library, points, goals, self.mutation, key=mutation_key)
        return proposal, memory

    def tell(
        self, library: Library, memory: PyTree[Array], proposal: Proposal, seen: Observations
    ) -> PyTree[Array]:
        """Learn nothing: goals are drawn from the library."""
        del library, proposal, seen
        return memory

    def describe(self) -> dict[str, Any]:
        """Return the name and the settings."""
        return {"kind": "descriptor-goals", "scaling": self.scaling, "mutation": self.mutation}


def mutate_nearest(
    box: Box,
    library: Library,
    points: Float[Array, "rows descriptors"],
    goals: Float[Array, "goals descriptors"],
    scale: float,
    *,
    key: PRNGKey,
) -> Proposal:
    """Mutate the found rollout nearest to every goal, with Gaussian noise in units of the box."""
    parents = nearest_rows(points, library.found, goals, library.num_done)[0]
    moved = gaussian(box.to_unit(library.parameters[parents]), scale, key=key)
    return Proposal(box.from_unit(moved), parents)
