"""Score of the composite likelihood over pairs, with the information that it truly holds.

The composite log likelihood is the sum over pairs, as if they were independent: an event in the
past is counted for every pair that saw it. With `S[b, p]` the increments of the score of pair `p`
along blocks `b` of the genome, the information that the likelihood claims is `H = sum_bp S S^T`
(the increments of one pair are martingale differences), while the score `s = sum_bp S` varies as
its sums over the pairs do. Every unknown is counted

    c = sum_b (sum_p S[b, p])^2 / sum_bp S[b, p]^2

times (a design effect; about 1 for recent times, 50 to 100 for old ones with 20 haplotypes), and
`J = C^1/2 H C^1/2` stands for the covariance of the score, `C = diag(c)`. The estimating equation
is then `C^-1 s`, with the information `C^-1/2 H C^-1/2`.

Source:
    Varin, Reid & Firth (2011), Statistica Sinica 21, 5-42, on the Godambe information of
    composite likelihoods.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.genealogy.demography.expected_length import expected_branch_length
from escapement_jax.genealogy.demography.pair_data import PairGenome
from escapement_jax.genealogy.demography.pair_model import PairModel, block_log_likelihoods
from escapement_jax.genealogy.genome.time_grid import TimeGrid


class PairProblem(eqx.Module):
    """Pairs of haplotypes, and everything about them that stays as it is.

    Attributes:
        grid: time levels.
        genome: bins and genotypes of the pairs.
        num_haplotypes: number of haplotypes of the complete tree, if genotypes can be wrong: sites
            are those that vary among them. None if nothing is wrong.
    """

    grid: TimeGrid
    genome: PairGenome
    num_haplotypes: int | None = eqx.field(static=True)

    def model(self, unknowns: Float[Array, " unknowns"]) -> PairModel:
        """Model of given log sizes of all levels, log recombination factor and log error."""
        log_sizes, log_factor, log_error = unknowns[:-2], unknowns[-2], unknowns[-1]
        sizes, edges = jnp.exp(log_sizes), self.grid.edges
        hidden = None
        if self.num_haplotypes is not None:
            hidden = expected_branch_length(edges, sizes, self.num_haplotypes)
            hidden = hidden - expected_branch_length(edges, sizes, 2)
        return PairModel(
            times=self.grid.times,
            intensities=jnp.append(jnp.diff(edges), 1.0) / (2 * sizes),
            recombination_factor=jnp.exp(log_factor),
            # The ancestor of a pair is no root: the site may have mutated before it.
            root_prior=jnp.full_like(edges, 0.5, shape=2),
            genotype_error=jnp.exp(log_error),
            hidden_length=hidden,
        )

    def log_likelihoods(self, unknowns: Float[Array, " unknowns"]) -> Float[Array, "blocks pairs"]:
        """Log likelihood of every block and pair.

        With genotype errors, that no other haplotype varies at the bases that are no sites counts
        as well, with the expected branch length: it says how many sites there should be, and so
        which of them errors could have made look different.
        """
        model = self.model(unknowns)
        values = block_log_likelihoods(model, self.genome)
        if model.hidden_length is None:
            return values
        unvaried = self.genome.invariant_mutation.sum(1) * model.hidden_length
        return values - unvaried[:, None]


@dataclass(frozen=True)
class PairScore:
    """What the data say near some values of the unknowns.

    Attributes:
        log_likelihood: of all pairs together, nats; counts every event many times.
        score: discounted derivative in the unknowns.
        information: discounted information.
        counted: how often an event is counted, for every unknown.
    """

    log_likelihood: float
    score: np.ndarray
    information: np.ndarray
    counted: np.ndarray


@jax.jit
def _increments(
    problem: PairProblem, unknowns: Float[Array, " unknowns"]
) -> tuple[Float[Array, "blocks pairs"], Float[Array, "blocks pairs unknowns"]]:
    """Log likelihood of every block and pair, and its derivatives."""

    def values(unknowns):
        blocks = problem.log_likelihoods(unknowns)
        return blocks, blocks

    derivatives, blocks = jax.jacfwd(values, has_aux=True)(unknowns)
    return blocks, derivatives


@dataclass(frozen=True)
class PairSums:
    """What is added up over blocks of the genome, and so over its regions.

    Attributes:
        log_likelihood: sum of the log likelihoods, nats.
        along: sum of the increments of all pairs.
        squares: sum over blocks of the squared increments of all pairs together.
        claimed: sum of the outer products of the increments of each pair.
    """

    log_likelihood: np.ndarray
    along: np.ndarray
    squares: np.ndarray
    claimed: np.ndarray

    def score(self) -> PairScore:
        """Score and information of everything that was added up."""
        counted = self.squares / np.maximum(np.diag(self.claimed), np.finfo(float).tiny)
        counted = np.maximum(counted, 1.0)
        return PairScore(
            log_likelihood=float(self.log_likelihood),
            score=self.along / counted,
            information=self.claimed / np.sqrt(np.outer(counted, counted)),
            counted=counted,
        )


def pair_sums(problem: PairProblem, unknowns: np.ndarray) -> PairSums:
    """Sums over the blocks of one region at given unknowns.

    Args:
        problem: the pairs.
        unknowns: log size of every level, log recombination factor, log genotype error.
    """
    values, increments = _increments(problem, jnp.asarray(unknowns, dtype=float))
    increments = np.asarray(increments, dtype=np.float64)
    along = increments.sum(1)
    return PairSums(
        log_likelihood=np.asarray(np.asarray(values, dtype=np.float64).sum()),
        along=along.sum(0),
        squares=(along**2).sum(0),
        claimed=np.einsum("bpi,bpj->ij", increments, increments, optimize=True),
    )


def pair_score(problem: PairProblem, unknowns: np.ndarray) -> PairScore:
    """Score and information at given unknowns.

    Args:
        problem: the pairs.
        unknowns: log size of every level, log recombination factor, log genotype error.
    """
    return pair_sums(problem, unknowns).score()
