"""Two haplotypes: the exact hidden Markov model of their coalescence level along the genome.

This is the threading model for `n = 2`, in closed form and differentiable. The hidden state of a
bin is the level `k` at which the two coalesce; with `c_k` the coalescent time inside a level and
`C_k = sum_{m<k} c_m`, Kingman's conditional law of one extra lineage becomes

    P(k) = exp(-C_k) (1 - exp(-c_k)),
    G_k  = sum_{r<=k} 2 w_r exp(-2 (C_k - C_r))               cuts that reach level k,
    R[k, l] = G_l (1 - exp(-2 c_l)) / 2                                             for l < k,
    R[k, l] = G_k exp(-c_k) (1 + exp(-c_k)) / 2 exp(-(C_l - C_{k+1})) (1 - exp(-c_l))  for l > k,

and across a boundary the level moves from `k` to `l` with probability `h_k R[k, l]`,
`h_k = min(rho, 0.95 / (2 t_k))`. `P(k) R[k, l]` is symmetric: `P` is stationary.

Pairs share the bins, hence the transition matrices; a bin costs one product of a
[pairs, levels] message with a [levels, levels] matrix.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from escapement_jax.array_types import Levels
from escapement_jax.genealogy.demography.pair_data import GENOTYPE_CLASSES, PairGenome
from escapement_jax.genealogy.model.mutation_model import change_probability
from escapement_jax.genealogy.model.threading_model import recombination_rate


class PairModel(eqx.Module):
    """The law of a pair of haplotypes and its data.

    Attributes:
        times: representative time of every level, generations.
        intensities: coalescent time inside every level; that of the last, open one is infinite
            and its entry is not used.
        recombination_factor: what the genome's recombination rates are multiplied by.
        root_prior: probability that the root carries the ancestral, the derived allele.
        genotype_error: probability that a called allele is wrong.
        hidden_length: branch length of the complete tree beside that of the pair, generations;
            a site where the pair agrees varies by a mutation there. None if any base can err.
    """

    times: Levels
    intensities: Levels
    recombination_factor: Float[Array, ""]
    root_prior: Float[Array, " 2"]
    genotype_error: Float[Array, ""]
    hidden_length: Float[Array, ""] | None = None


def entering_intensity(intensities: Levels) -> Levels:
    """Coalescent time before each level, `C_k = sum_{m<k} c_m`; finite for every level."""
    return jnp.concatenate([jnp.zeros_like(intensities[:1]), jnp.cumsum(intensities[:-1])])


def pair_prior(intensities: Levels) -> Levels:
    """Probability `exp(-C_k) (1 - exp(-c_k))` that a pair coalesces in each level."""
    return jnp.exp(-entering_intensity(intensities)) * (1 - _apart(intensities))


def _apart(intensities: Levels) -> Levels:
    """Probability `exp(-c_k)` to pass through a level; 0 for the last."""
    return jnp.concatenate([jnp.exp(-intensities[:-1]), jnp.zeros_like(intensities[:1])])


def move_rates(times: Levels, intensities: Levels) -> Float[Array, "levels levels"]:
    """Rate `R[k, l]` of moves per unit of `h`, generations; 0 on the diagonal.

    Args:
        times: representative time of every level, generations.
        intensities: coalescent time inside every level.
    """
    levels = jnp.arange(times.shape[0], dtype=jnp.int32)
    before = entering_intensity(intensities)
    apart = _apart(intensities)
    joins = 1 - apart
    lower = levels[:, None] > levels[None, :]
    elapsed = jnp.where(lower, before[:, None] - before[None, :], 0.0)
    pieces = jnp.diff(times, prepend=0.0)
    reaching = jnp.where(lower | lower.T, jnp.where(lower, jnp.exp(-2 * elapsed), 0.0), 1.0)
    reaching = 2 * jnp.matmul(reaching, pieces, precision=lax.Precision.HIGHEST)
    down = reaching * (1 - apart**2) / 2
    leaving = reaching * apart * (1 + apart) / 2
    after = jnp.concatenate([before[1:], before[-1:]])
    waiting = jnp.where(lower.T, before[None, :] - after[:, None], 0.0)
    up = leaving[:, None] * jnp.exp(-waiting) * joins[None, :]
    return jnp.where(lower, down[None, :], jnp.where(lower.T, up, 0.0))


def transition_matrix(
    rates: Float[Array, "levels levels"],
    times: Levels,
    recombination: Float[Array, ""],
    halvings: int,
) -> Float[Array, "levels levels"]:
    """Probabilities `T[k, l]` across a boundary, or across `2^halvings` equal ones at once.

    Args:
        rates: result of `move_rates`.
        times: representative time of every level, generations.
        recombination: `rho`, expected recombinations per generation over the whole distance.
        halvings: the distance is cut in half so many times, and the one-step law raised to that
            power; 0 for the law of a single boundary.
    """
    h = recombination_rate(recombination / 2**halvings, 2 * times)
    moves = h[:, None] * rates
    matrix = moves + jnp.diag(1 - moves.sum(1))
    for _ in range(halvings):
        matrix = jnp.matmul(matrix, matrix, precision=lax.Precision.HIGHEST)
    return matrix


def log_site_probability(
    model: PairModel, mutation_rate: Float[Array, ""]
) -> Float[Array, "classes levels"]:
    """Log probability of each class of genotypes of the pair at a site, by level.

    With `P(x, y)` the two-state law of the true alleles and `E_x(a)` the probability to call `a`,

        sum_{x, y} P(x, y) E_x(a) E_y(b) - (1 - kappa) sum_x P(x, x) E_x(a) E_x(b),

    where `kappa` is the mutation rate times `hidden_length`, or 1 without it: `variable_sites`.

    Args:
        model: the law.
        mutation_rate: per generation at the site.
    """
    change = change_probability(mutation_rate * model.times)
    kappa = jnp.ones_like(mutation_rate)
    if model.hidden_length is not None:
        kappa = jnp.clip(mutation_rate * model.hidden_length, 0.0, 1.0)
    prior = model.root_prior
    both = [prior[x] * (1 - change) ** 2 + prior[1 - x] * change**2 for x in (0, 1)]
    one = change * (1 - change)
    wrong = model.genotype_error
    called = {0: (1 - wrong, wrong), 1: (wrong, 1 - wrong)}
    called[-1] = (jnp.ones_like(wrong), jnp.ones_like(wrong))
    rows = []
    for a, b in GENOTYPE_CLASSES:
        differ = called[a][0] * called[b][1] + called[a][1] * called[b][0]
        agree = sum(both[x] * called[a][x] * called[b][x] for x in (0, 1))
        rows.append(one * differ + kappa * agree)
    # Padding, which does not mutate, must not count as impossible.
    tiny = float(jnp.finfo(one.dtype).tiny)
    return jnp.log(jnp.maximum(jnp.stack(rows), tiny))


def _transitions(model: PairModel, genome: PairGenome) -> Float[Array, "kinds levels levels"]:
    rates = move_rates(model.times, model.intensities)
    distances = genome.recombination * model.recombination_factor
    return jax.vmap(lambda rho: transition_matrix(rates, model.times, rho, genome.halvings))(
        distances
    )


def block_log_likelihoods(model: PairModel, genome: PairGenome) -> Float[Array, "blocks pairs"]:
    """Log probability of the data of every block of bins given those to its left, for each pair.

    The sum over the blocks is the log likelihood of the pair, exactly that of threading its second
    haplotype onto the first if the genome has the bins of threading.

    Args:
        model: the law.
        genome: bins and genotypes.
    """
    transitions = _transitions(model, genome)

    def one_bin(message, inputs):
        kind, invariant, rate, counts = inputs
        log_emission = counts.astype(message.dtype).T @ log_site_probability(model, rate)
        log_emission = log_emission - (2 * invariant * model.times)[None, :]
        scale = lax.stop_gradient(log_emission.max(1))
        predicted = jnp.matmul(message, transitions[kind], precision=lax.Precision.HIGHEST)
        arrived = predicted * jnp.exp(log_emission - scale[:, None])
        total = arrived.sum(1)
        return arrived / total[:, None], jnp.log(total) + scale

    def one_block(message, inputs):
        message, log_masses = lax.scan(one_bin, message, inputs)
        return message, log_masses.sum(0)

    num_pairs = genome.counts.shape[-1]
    prior = pair_prior(model.intensities)
    start = jnp.broadcast_to(prior[None, :], (num_pairs, prior.shape[0]))
    inputs = (genome.kind, genome.invariant_mutation, genome.site_mutation, genome.counts)
    return lax.scan(one_block, start, inputs)[1]


@jax.jit
def pair_log_likelihoods(model: PairModel, genome: PairGenome) -> Float[Array, " pairs"]:
    """Log likelihood of every pair; differentiable in every entry of the model."""
    return block_log_likelihoods(model, genome).sum(0)
