"""A rate of mutation or recombination that varies along the genome."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class RateMap:
    """A piecewise-constant rate along the genome.

    Attributes:
        edges: edges of the intervals in base pairs, counted from 0, strictly increasing; float64
            [intervals + 1].
        rates: events per base pair per generation inside each interval, finite, at least 0;
            float64 [intervals].

    Raises:
        ValueError: when a field breaks one of these rules; the message names the first offender.
    """

    edges: np.ndarray
    rates: np.ndarray

    def __post_init__(self) -> None:
        """Check the shapes, the order of the edges and the sign of the rates."""
        edges, rates = self.edges, self.rates
        if edges.ndim != 1 or rates.ndim != 1 or len(edges) != len(rates) + 1 or not len(rates):
            raise ValueError(
                "a rate map needs one edge more than rates, and at least one rate; "
                f"seen edges {edges.shape} and rates {rates.shape}"
            )
        unordered = np.flatnonzero(~(np.diff(edges) > 0) | ~np.isfinite(np.diff(edges)))
        if unordered.size:
            i = unordered[0]
            raise ValueError(
                f"edges must be finite and strictly increasing; {edges[i + 1]:g} "
                f"follows {edges[i]:g}"
            )
        wrong = np.flatnonzero(~(rates >= 0) | ~np.isfinite(rates))
        if wrong.size:
            i = wrong[0]
            raise ValueError(
                f"rates must be finite and at least 0; seen {rates[i]:g} "
                f"between {edges[i]:g} and {edges[i + 1]:g} bp"
            )

    @classmethod
    def constant(cls, rate: float, start: float, end: float) -> "RateMap":
        """Build a map with one rate everywhere.

        Args:
            rate: events per base pair per generation.
            start: left end in base pairs.
            end: right end in base pairs.

        Returns:
            The map of a single interval.

        Raises:
            ValueError: when the rate is negative or the interval empty.
        """
        return cls(np.array([start, end], dtype=np.float64), np.array([rate], dtype=np.float64))

    def cumulative(self, positions: ArrayLike) -> np.ndarray:
        """Expected number of events per generation between the first edge and each position.

        `R(x) = integral of the rate from edges[0] to x`.

        Args:
            positions: base pairs, inside `[edges[0], edges[-1]]`; a number or an array.

        Returns:
            Expected events per generation, float64, of the shape of `positions`.

        Raises:
            ValueError: when a position lies outside the map.
        """
        positions = np.asarray(positions, dtype=np.float64)
        outside = positions[~((positions >= self.edges[0]) & (positions <= self.edges[-1]))]
        if outside.size:
            raise ValueError(
                f"position {outside.flat[0]:.12g} is outside the rate map, "
                f"which covers {self.edges[0]:.12g} to {self.edges[-1]:.12g} bp"
            )
        at_edges = np.concatenate([[0.0], np.cumsum(self.rates * np.diff(self.edges))])
        return np.asarray(np.interp(positions, self.edges, at_edges))

    def mean_rate(self, start: float, end: float) -> float:
        """Mean rate over an interval: `(R(end) - R(start)) / (end - start)`.

        Args:
            start: left end in base pairs.
            end: right end in base pairs, beyond `start`.

        Returns:
            Events per base pair per generation.

        Raises:
            ValueError: when the interval is empty or leaves the map.
        """
        if not start < end:
            raise ValueError(f"the interval must have start < end, seen [{start}, {end})")
        left, right = self.cumulative([start, end])
        return float((right - left) / (end - start))

    def require_cover(self, start: float, end: float, name: str) -> None:
        """Refuse a map that leaves part of a region without a rate.

        Args:
            start: left end of the region in base pairs.
            end: right end of the region in base pairs.
            name: what the map is, for the message, such as "recombination map FILE".

        Raises:
            ValueError: when the region is not inside the map.
        """
        if start < self.edges[0] or end > self.edges[-1]:
            raise ValueError(
                f"the {name} covers base pairs {self.edges[0]:.12g} to {self.edges[-1]:.12g} "
                f"(counted from 0) but the region is {start:.12g} to {end:.12g}; "
                "give a wider map or a narrower region"
            )
