"""Bias and variance of gradient estimators where the exact gradient is known.

Three haplotypes, three bins, two levels: the last haplotype has four states in each bin, 64 paths.

- `factorised`: `q` independent between bins, given by logits. All estimators apply. The exact
  gradient is that of the sum over all paths; VIMCO's is that of its own bound, over all pairs.
- `twisted`: the twisted chain, given by potentials. The exact gradient is by its recursion.

`bias_in_standard_errors` is the largest over entries of |mean - exact| / standard error; about 3 is
chance for the 12 or more entries. `variance` is summed over entries, `relative_bias` is
|mean - exact| / |exact|. Per draw, but for VIMCO, which takes two (four) draws at a time.

    python benchmarks/accuracy/gradient_estimators.py \
        --output benchmarks/results/gradient_estimators.json
"""

import argparse
import functools
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.record import write_result
from escapement_jax.genealogy.copying.copying_model import copying_model, initial_law, log_emission
from escapement_jax.genealogy.copying.copying_tables import PairCounts
from escapement_jax.genealogy.encoder.potentials import Potentials
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from escapement_jax.genealogy.variational.look_ahead import emission_potentials
from escapement_jax.genealogy.variational.twisted_chain import twisted_bound
from escapement_jax.genealogy.variational.twisted_paths import (
    path_log_probabilities,
    sample_twisted_path,
    straight_through_bound,
)
from escapement_jax.numerics.relaxed_sampling import gumbel_softmax, straight_through
from escapement_jax.numerics.score_estimators import (
    relax_gradient,
    relax_variance_gradient,
    score_function_surrogate,
    vimco_surrogate,
)

jax.config.update("jax_enable_x64", True)

HAPLOTYPES = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [0, 0, 1]], dtype=np.int8)
COUNTS = PairCounts.from_haplotypes(HAPLOTYPES, np.array([0, 0, 1, 2, 2]), np.array([3.0, 0, 12]))
MODEL = copying_model(
    3,
    PiecewiseConstant.constant(1e4),
    TimeGrid.geometric(2, first=8_000.0, last=9_000.0, tail=20_000.0),
    mutation_rate=jnp.array([1e-5, 2e-5, 3e-6]),
    recombination_distance=jnp.array([0.0, 2e-5, 1e-4]),
)
TEMPERATURES = (0.1, 0.5, 1.0)


def tables():
    """Start, transitions and emissions of the last haplotype over its four states, in logs."""
    start = jnp.log(initial_law(MODEL)[2, :2].ravel())
    emissions = jax.vmap(lambda laws, counts: log_emission(MODEL, laws, counts))(MODEL.bins, COUNTS)
    landing = jnp.tile(MODEL.reattachment[2] / 2, (2, 2))
    ends = jnp.tile(MODEL.bins.recombination, (1, 2))[1:]
    moves = [jnp.log(jnp.diag(1 - end) + end[:, None] * landing) for end in ends]
    return start, jnp.stack(moves), emissions[:, 2, :2].reshape(3, 4)


START, MOVES, EMISSIONS = tables()


def log_joint(draw):
    """`log p(D, path)` of one-hot states, linear in each: defined for relaxed states too."""
    moves = sum(draw[k] @ MOVES[k] @ draw[k + 1] for k in range(2))
    return draw[0] @ START + moves + jnp.sum(draw * EMISSIONS)


def log_q(draw, logits):
    return jnp.sum(draw * jax.nn.log_softmax(logits))


def log_weight(draw, logits):
    return log_joint(draw) - log_q(draw, logits)


def every_path():
    indices = jnp.array(list(itertools.product(range(4), repeat=3)))
    return jax.nn.one_hot(indices, 4)


def elbo(logits):
    paths = every_path()
    probabilities = jnp.exp(jax.vmap(lambda path: log_q(path, logits))(paths))
    return probabilities @ jax.vmap(lambda path: log_weight(path, logits))(paths)


def bound_of_two(logits):
    paths = every_path()
    log_probabilities = jax.vmap(lambda path: log_q(path, logits))(paths)
    weights = jax.vmap(lambda path: log_weight(path, logits))(paths)
    pairs = jnp.logaddexp(weights[:, None], weights[None]) - jnp.log(2.0)
    return jnp.sum(jnp.exp(log_probabilities[:, None] + log_probabilities[None]) * pairs)


def drawn(logits, key):
    perturbed = logits + jax.random.gumbel(key, logits.shape)
    return jax.nn.one_hot(jnp.argmax(perturbed, axis=-1), 4)


def score(logits, key, baseline):
    draw = drawn(logits, key)
    return jax.grad(
        lambda logits: score_function_surrogate(
            log_weight(draw, logits), log_q(draw, logits), baseline
        )
    )(logits)


def vimco(logits, key):
    draws = jax.vmap(lambda key: drawn(logits, key))(jax.random.split(key))

    def surrogate(logits):
        probabilities = jax.vmap(lambda draw: log_q(draw, logits))(draws)
        return vimco_surrogate(jax.vmap(log_joint)(draws) - probabilities, probabilities)

    return jax.grad(surrogate)(logits)


def relaxed(logits, key, temperature):
    def value(logits):
        soft = gumbel_softmax(logits, jnp.asarray(temperature), key=key)
        return log_weight(straight_through(soft), logits)

    return jax.grad(value)(logits)


def control(parameters, perturbed):
    scale, log_temperature = parameters
    return scale * log_joint(jax.nn.softmax(perturbed / jnp.exp(log_temperature)))


def tuned_control(logits, steps=300):
    """Scale and temperature of the control variate that RELAX learns, by its own gradient."""

    def step(parameters, key):
        keys = jax.random.split(key, 32)
        slopes = jax.vmap(
            lambda key: relax_variance_gradient(log_weight, control, parameters, logits, key=key)
        )(keys)
        slope = jnp.mean(slopes, axis=0)
        return parameters - 0.02 * slope / (1.0 + jnp.abs(slope)), None

    keys = jax.random.split(jax.random.key(9), steps)
    return jax.lax.scan(step, jnp.array([0.5, 0.0]), keys)[0]


def summary(estimate, exact, num_draws, seed):
    keys = jax.random.split(jax.random.key(seed), num_draws)
    draws = np.asarray(jax.jit(jax.vmap(lambda key: estimate(key).ravel()))(keys))
    error = draws.mean(axis=0) - np.asarray(exact).ravel()
    varies = draws.std(axis=0) > 1e-12
    in_errors = np.abs(error[varies]) / (draws.std(axis=0)[varies] / np.sqrt(num_draws))
    return {
        "bias_in_standard_errors": float(in_errors.max()),
        "relative_bias": float(np.linalg.norm(error) / np.linalg.norm(exact)),
        "variance": float(draws.var(axis=0).sum()),
    }


def factorised(num_draws):
    logits = 0.5 * jax.random.normal(jax.random.key(0), (3, 4))
    exact = jax.grad(elbo)(logits)
    mean = elbo(logits)
    parameters = tuned_control(logits)
    rows = {
        "score function, no baseline": (lambda key: score(logits, key, jnp.zeros(())), exact),
        "score function, NVIL baseline at its optimum": (
            lambda key: score(logits, key, mean),
            exact,
        ),
        "RELAX": (
            lambda key: relax_gradient(log_weight, control, parameters, logits, key=key),
            exact,
        ),
        "VIMCO, 2 draws, for its own bound": (
            lambda key: vimco(logits, key),
            jax.grad(bound_of_two)(logits),
        ),
    }
    for temperature in TEMPERATURES:
        rows[f"straight-through, temperature {temperature}"] = (
            lambda key, temperature=temperature: relaxed(logits, key, temperature),
            exact,
        )
    return {
        name: summary(estimate, gradient, num_draws, seed)
        for seed, (name, (estimate, gradient)) in enumerate(rows.items())
    }


def twisted(num_draws):
    """Gradients in the potentials of the twisted chain, at those of the emission alone."""
    states = emission_potentials(MODEL, COUNTS)
    breaks = jnp.zeros((3, 3))

    def value(states):
        return jnp.sum(twisted_bound(MODEL, COUNTS, Potentials(states, breaks)).elbo)

    exact = jax.grad(value)(states)
    mean = twisted_bound(MODEL, COUNTS, Potentials(states, breaks)).elbo

    def paths(states, key, count):
        potentials = Potentials(states, breaks)
        keys = jax.random.split(key, count)
        drawn = jax.vmap(lambda key: sample_twisted_path(MODEL, potentials, key=key))(keys)
        drawn = jax.lax.stop_gradient(drawn)
        return jax.vmap(lambda path: path_log_probabilities(MODEL, COUNTS, potentials, path))(drawn)

    def scored(key, baseline):
        def surrogate(states):
            joint, probability = paths(states, key, 1)
            return jnp.sum(score_function_surrogate(joint - probability, probability, baseline))

        return jax.grad(surrogate)(states)

    def several(key):
        def surrogate(states):
            joint, probability = paths(states, key, 4)
            each = jax.vmap(vimco_surrogate, in_axes=1)(joint - probability, probability)
            return jnp.sum(each)

        return jax.grad(surrogate)(states)

    def soft(key, temperature):
        def surrogate(states):
            potentials = Potentials(states, breaks)
            bound = straight_through_bound(
                MODEL, COUNTS, potentials, jnp.asarray(temperature), key=key
            )
            return jnp.sum(bound.elbo)

        return jax.grad(surrogate)(states)

    rows = {
        "score function, no baseline": lambda key: scored(key, jnp.zeros((1, 3))),
        "score function, NVIL baseline at its optimum": lambda key: scored(key, mean[None]),
        "VIMCO, 4 draws (its bound's own optimum differs)": several,
    }
    for temperature in TEMPERATURES:
        rows[f"straight-through, temperature {temperature}"] = functools.partial(
            soft, temperature=temperature
        )
    table = {
        name: summary(estimate, exact, num_draws, 20 + seed)
        for seed, (name, estimate) in enumerate(rows.items())
    }
    return table | {"exact": {"relative_bias": 0.0, "variance": 0.0}}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=50_000)
    arguments = parser.parse_args()
    result = {
        "draws": arguments.draws,
        "factorised": factorised(arguments.draws),
        "twisted": twisted(arguments.draws // 5),
    }
    write_result(arguments.output, result)
    for family in ("factorised", "twisted"):
        for name, row in result[family].items():
            print(family, name, row)


if __name__ == "__main__":
    main()
