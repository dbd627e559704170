"""Coalescent intensity of a piecewise-constant population size, on the host."""

from dataclasses import dataclass

import numpy as np

from escapement_jax.genealogy.genome.population_size import PiecewiseConstant


@dataclass(frozen=True)
class CoalescentClock:
    """The clock of a pair: ``Λ(t) = ∫_0^t ds / (2 N_e(s))``.

    Attributes:
        starts: Left edges of the epochs, generations; the first is 0.
        rates: Rate at which a pair coalesces in each epoch, ``1 / (2 N_e)`` per generation.
        intensities: Λ at the left edges.
    """

    starts: np.ndarray
    rates: np.ndarray
    intensities: np.ndarray

    @classmethod
    def of(cls, population_size: PiecewiseConstant) -> "CoalescentClock":
        """Return the clock of a population size."""
        starts = np.asarray(population_size.breakpoints, np.float64)
        rates = 0.5 / np.asarray(population_size.sizes, np.float64)
        rises = np.diff(starts) * rates[:-1]
        return cls(starts, rates, np.concatenate([[0.0], np.cumsum(rises)]))

    def intensity(self, time: np.ndarray) -> np.ndarray:
        """Return Λ at each time, generations to coalescent units."""
        if len(self.starts) == 1:
            return time * self.rates[0]
        epoch = self._epoch(time)
        return self.intensities[epoch] + (time - self.starts[epoch]) * self.rates[epoch]

    def time_at(self, intensity: np.ndarray) -> np.ndarray:
        """Return the time, in generations, at which Λ reaches each value."""
        epoch = np.searchsorted(self.intensities, intensity, side="right") - 1
        return self.starts[epoch] + (intensity - self.intensities[epoch]) / self.rates[epoch]

    def log_rate(self, time: np.ndarray) -> np.ndarray:
        """Return the log of the rate at which a pair coalesces, per generation."""
        return np.log(self.rates[self._epoch(time)])

    def _epoch(self, time: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.starts, time, side="right") - 1
