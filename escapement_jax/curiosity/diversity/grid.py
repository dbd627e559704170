"""A regular grid over the space of behaviours."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

MOST_CELLS = 2_000_000


class DescriptorGrid(eqx.Module):
    """Equal cells between the ends of an extent.

    Attributes:
        low: Lower ends of the extent.
        high: Upper ends of the extent.
        bins: Cells per axis.
    """

    low: tuple[float, ...] = eqx.field(static=True)
    high: tuple[float, ...] = eqx.field(static=True)
    bins: int = eqx.field(static=True, default=20)

    def __check_init__(self) -> None:
        """Reject an empty extent and grids too large to hold."""
        for axis, (bottom, top) in enumerate(zip(self.low, self.high, strict=True)):
            if not bottom < top:
                raise ValueError(
                    f"the extent of descriptor {axis} is [{bottom}, {top}], which is empty; give "
                    "a lower end below the upper end"
                )
        if self.bins < 1 or self.num_cells > MOST_CELLS:
            raise ValueError(
                f"{self.bins} bins for each of {len(self.low)} descriptors make "
                f"{self.num_cells} cells; give between 1 and {MOST_CELLS}"
            )

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return self.bins ** len(self.low)

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along every axis."""
        return (self.bins,) * len(self.low)

    def to_unit(self, descriptors: Float[Array, "rows descriptors"]) -> Float[Array, "rows _"]:
        """Map the extent to the unit cube."""
        low, width = np.array(self.low), np.array(self.high) - np.array(self.low)
        dtype = descriptors.dtype
        return (descriptors - jnp.asarray(low, dtype)[None]) / jnp.asarray(width, dtype)[None]

    def contains(self, descriptors: Float[Array, "rows descriptors"]) -> Bool[Array, " rows"]:
        """Whether points lie in the extent, both ends included."""
        low, high = jnp.array(self.low), jnp.array(self.high)
        kind = descriptors.dtype
        above = descriptors >= low.astype(kind)[None]
        return (above & (descriptors <= high.astype(kind)[None])).all(-1)

    def cells(self, descriptors: Float[Array, "rows descriptors"]) -> Int[Array, " rows"]:
        """Return the flat index of the cell of each point; points outside go to the nearest."""
        place = jnp.floor(self.to_unit(descriptors) * self.bins)
        at = jnp.clip(place, 0, self.bins - 1).astype(jnp.int32)
        return jnp.ravel_multi_index(tuple(at.T), self.shape, mode="clip").astype(jnp.int32)

    def coordinates(self, cells: Int[Array, " rows"]) -> Int[Array, "rows descriptors"]:
        """Return the position of cells along every axis."""
        return jnp.stack(jnp.unravel_index(cells, self.shape), -1)
