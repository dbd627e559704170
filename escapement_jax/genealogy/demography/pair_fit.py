"""N_e(t) with its uncertainty, from the composite likelihood of pairs of haplotypes.

The estimate solves `score + gradient of the log prior = 0` with the discounted score of
`pair_score`, by Fisher scoring; around it the posterior is taken as Gaussian, with the discounted
information. How smooth the size is in time is learned as well: the result is a mixture over several
degrees of roughness, weighted by their evidence. On request a factor of the recombination rates and
the genotype error are learned beside it.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.genealogy.demography.gaussian_mixture import GaussianMixture, gaussian_posterior
from escapement_jax.genealogy.demography.pair_coalescence import PopulationSizeEstimate
from escapement_jax.genealogy.demography.pair_data import balanced_pairs, pair_genome
from escapement_jax.genealogy.demography.pair_score import (
    PairProblem,
    PairScore,
    PairSums,
    pair_sums,
)
from escapement_jax.genealogy.demography.size_models import SizeModel, size_model
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem

BIN_WIDTH = 500
"""Width of the bins of pairs, base pairs."""

MOST_PAIRS = 200
NUM_DRAWS = 4000

LOG_FACTOR_PRIOR = (0.0, 1.0)
"""Mean and standard deviation of the log of a recombination factor that is learned."""

LOG_ERROR_PRIOR = (float(np.log(3e-3)), 1.0)
"""The same for a genotype error, of which pairs say little."""

_MOST_STEPS = 30
_FULL_STEPS = 8
_LARGEST_STEP = 0.7
_TOLERANCE = 0.01


@dataclass(frozen=True)
class RateEstimate:
    """A positive number, estimated on the log scale.

    Attributes:
        value: the estimate.
        log_stderr: standard error of its natural logarithm.
    """

    value: float
    log_stderr: float


@dataclass(frozen=True)
class DemographyFit:
    """The posterior of the population size through time, and of rates if they were learned.

    Attributes:
        time_generations: lower edges of the time levels.
        sizes: how parameters give sizes.
        posterior: of the parameters, learned rates last, by roughness.
        recombination_factor: what the told recombination rates are to be multiplied by, if learned.
        genotype_error: probability that a called allele is wrong, if learned.
        log_likelihood: composite log likelihood near the estimate; counts events many times.
        converged: whether the steps became small.
    """

    time_generations: np.ndarray
    sizes: SizeModel
    posterior: GaussianMixture
    recombination_factor: RateEstimate | None
    genotype_error: RateEstimate | None
    log_likelihood: float
    converged: bool

    def sample_sizes(self, num_draws: int, seed: int) -> np.ndarray:
        """Draw diploid sizes of all levels from the posterior, [draws, levels]."""
        parameters = self.posterior.sample(num_draws, seed)[:, : self.sizes.mean.size]
        log_sizes = jax.vmap(self.sizes.log_sizes)(jnp.asarray(parameters, dtype=float))
        return np.exp(np.asarray(log_sizes, dtype=np.float64))

    def estimate(self, num_draws: int = NUM_DRAWS, seed: int = 0) -> PopulationSizeEstimate:
        """Posterior median and 95 % band of the size in every level."""
        draws = self.sample_sizes(num_draws, seed)
        lower, median, upper = np.quantile(draws, [0.025, 0.5, 0.975], axis=0)
        return PopulationSizeEstimate(self.time_generations, median, lower, upper)

    def population_size(self) -> PiecewiseConstant:
        """The posterior median as a history."""
        median = self.estimate().population_size
        return PiecewiseConstant(
            jnp.asarray(self.time_generations, dtype=float), jnp.asarray(median, dtype=float)
        )


def fit_demography(
    problem: ThreadingProblem,
    kind: str = "gaussian-process",
    *,
    learn_recombination: bool = False,
    learn_genotype_error: bool = False,
    bin_width: int = BIN_WIDTH,
    most_pairs: int = MOST_PAIRS,
    seed: int = 0,
    others: Sequence[ThreadingProblem] = (),
    total: Callable[[np.ndarray], np.ndarray] = lambda numbers: numbers,
) -> DemographyFit:
    """Estimate N_e(t), and on request two rates, from all pairs or a balanced choice of them.

    Regions of one genome are blocks of it: their scores and informations add up, whoever computes
    them.

    Args:
        problem: genome, time levels and model of an inference; its population size is the centre
            of the prior and the start, its genotype error is used unless learned.
        kind: how the size is written, see `size_models.size_model`.
        learn_recombination: learn one factor of all recombination rates.
        learn_genotype_error: learn the probability that a called allele is wrong.
        bin_width: width of the bins, base pairs.
        most_pairs: largest number of pairs.
        seed: of the choice of pairs.
        others: further regions of the genome, of the same individuals and with the same grid.
        total: sums an array over all processes, where several share the regions.

    Raises:
        ValueError: the kind is unknown, or the likelihood is not finite.
    """
    error = float(problem.model.mutation.genotype_error)
    unknowns = _Unknowns(
        sizes=size_model(kind, problem.grid, problem.population_size),
        learned=(learn_recombination, learn_genotype_error),
        told=(0.0, float(np.log(error)) if error else -np.inf),
    )
    num = problem.num_haplotypes
    chosen = balanced_pairs(num, most_pairs, seed)
    pairs = [
        PairProblem(
            grid=problem.grid,
            genome=pair_genome(region.bins, chosen, width=bin_width),
            num_haplotypes=num if learn_genotype_error or error else None,
        )
        for region in (problem, *others)
    ]
    posterior, log_likelihood, converged = _solve(unknowns, _Regions(pairs, total))
    return DemographyFit(
        time_generations=np.asarray(problem.grid.edges, dtype=np.float64),
        sizes=unknowns.sizes,
        posterior=posterior,
        recombination_factor=unknowns.rate(posterior, 0),
        genotype_error=unknowns.rate(posterior, 1),
        log_likelihood=log_likelihood,
        converged=converged,
    )


@dataclass(frozen=True)
class _Unknowns:
    """Parameters of the size, and the rates that are learned, as one vector.

    Rates are the logs of the recombination factor and of the genotype error.
    """

    sizes: SizeModel
    learned: tuple[bool, bool]
    told: tuple[float, float]

    @property
    def prior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean, and covariance for every roughness."""
        rates = np.array([LOG_FACTOR_PRIOR, LOG_ERROR_PRIOR])[np.array(self.learned)]
        covariances = np.pad(self.sizes.covariances, ((0, 0), (0, len(rates)), (0, len(rates))))
        last = self.sizes.mean.size + np.arange(len(rates))
        covariances[:, last, last] = rates[:, 1] ** 2
        return np.append(self.sizes.mean, rates[:, 0]), covariances

    def values(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log sizes of the levels and both rates, and their derivatives in the parameters."""
        num, learned = self.sizes.mean.size, np.flatnonzero(self.learned)
        given = jnp.asarray(parameters[:num], dtype=float)
        log_sizes = np.asarray(self.sizes.log_sizes(given), dtype=np.float64)
        rates = np.array(self.told)
        rates[learned] = parameters[num:]
        jacobian = np.zeros((log_sizes.size + 2, parameters.size))
        jacobian[:-2, :num] = np.asarray(jax.jacfwd(self.sizes.log_sizes)(given))
        jacobian[log_sizes.size + learned, num + np.arange(learned.size)] = 1.0
        return np.append(log_sizes, rates), jacobian

    def posterior(
        self, parameters: np.ndarray, score: PairScore, jacobian: np.ndarray
    ) -> GaussianMixture:
        """Posterior of the parameters with what the data say linearised at the given ones."""
        mean, covariances = self.prior
        information = jacobian.T @ score.information @ jacobian
        pull = jacobian.T @ score.score + information @ (parameters - mean)
        return gaussian_posterior(pull, information, mean, covariances)

    def rate(self, posterior: GaussianMixture, index: int) -> RateEstimate | None:
        """Estimate of a rate, None if it was told."""
        if not self.learned[index]:
            return None
        place = self.sizes.mean.size + sum(self.learned[:index])
        return RateEstimate(
            float(np.exp(posterior.mean[place])), float(np.sqrt(posterior.variance[place]))
        )


@dataclass(frozen=True)
class _Regions:
    """Pairs in all regions of a genome."""

    pairs: Sequence[PairProblem]
    total: Callable[[np.ndarray], np.ndarray]

    def score(self, values: np.ndarray) -> PairScore:
        parts = [dataclasses.astuple(pair_sums(pairs, values)) for pairs in self.pairs]
        sums = (self.total(np.asarray(np.sum(part, axis=0))) for part in zip(*parts, strict=True))
        return PairSums(*sums).score()


def _solve(unknowns: _Unknowns, regions: _Regions) -> tuple[GaussianMixture, float, bool]:
    """Fisher scoring from the prior mean: posterior, log likelihood, and whether it converged."""
    parameters = unknowns.prior[0]
    for index in range(_MOST_STEPS):
        values, jacobian = unknowns.values(parameters)
        score = regions.score(values)
        posterior = unknowns.posterior(parameters, score, jacobian)
        step = posterior.mean - parameters
        largest = float(np.abs(jacobian @ step).max())
        if not np.isfinite(largest):
            raise ValueError(
                f"the composite log likelihood of pairs is {score.log_likelihood}, with a step of "
                f"{largest}: the data are impossible under the model; check the rates and maps"
            )
        if largest < _TOLERANCE:
            return posterior, score.log_likelihood, True
        # The information is estimated anew in every step: shorter steps keep it from cycling.
        length = 1.0 if index < _FULL_STEPS else 0.5
        parameters = parameters + step * min(length, _LARGEST_STEP / largest)
    return posterior, score.log_likelihood, False
