"""Training of the network and of N_e(t): on observed genomes, or towards targets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.training import TrainConfig
from escapement_jax.genealogy.copying.copying_model import CopyingModel, log_evidence
from escapement_jax.genealogy.demography.size_models import SizeModel, size_model
from escapement_jax.genealogy.encoder.heads import PotentialNetwork
from escapement_jax.genealogy.encoder.potentials import Potentials
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.variational.elbo_terms import sizes_of_model
from escapement_jax.genealogy.variational.objective import (
    Genome,
    Objective,
    analytic_potentials,
    whole_genome_potentials,
)
from escapement_jax.genealogy.variational.targets import Target, expected_log_probability
from escapement_jax.genealogy.variational.twisted_chain import Bound, twisted_bound
from escapement_jax.numerics.relaxed_sampling import annealed_temperature
from escapement_jax.numerics.score_estimators import Baseline
from escapement_jax.training.loop import run_in_chunks
from escapement_jax.training.optimiser import GroupedAdam, taking_turns
from escapement_jax.training.progress import progress_bar
from escapement_jax.training.stopping import StoppingRules, at_rest

CHUNK_STEPS = 50
SIZES_EVERY = 100

_BASELINE_UNITS = 32
_BASELINE_RATE = 1e-2


@dataclass(frozen=True)
class LearnedPosterior:
    """A trained variational posterior.

    Attributes:
        network: the potentials' network.
        population_size: the learned N_e(t), one epoch per level.
        genome: the data.
        history: of every step taken: `bound`, `mutation`, `coalescent`, `breakpoint` and `entropy`
            (before the step, nats, all haplotypes), `temperature`, `sizes` [steps, levels].
        converged: whether the bound, N_e(t) and the temperature have come to rest.
    """

    network: PotentialNetwork
    population_size: PiecewiseConstant
    genome: Genome
    history: dict[str, np.ndarray]
    converged: bool

    @property
    def model(self) -> CopyingModel:
        """The copying model at the learned population size."""
        return self.genome.data.model(self.population_size, self.genome.grid)

    @property
    def sizes_along(self) -> tuple[np.ndarray, np.ndarray]:
        """Steps and N_e(t) of every level at them: every 100 steps, and after the last."""
        sizes = self.history["sizes"]
        steps = np.unique(np.append(np.arange(SIZES_EVERY, len(sizes), SIZES_EVERY), len(sizes)))
        return steps, sizes[steps - 1]

    def potentials(self) -> Potentials:
        """Potentials of all bins of the genome."""
        return whole_genome_potentials(self.network, self.genome, self.model)

    def bound(self) -> Bound:
        """Evidence lower bound of the whole genome, for every haplotype."""
        return eqx.filter_jit(twisted_bound)(self.model, self.genome.data.counts, self.potentials())

    def log_evidence(self) -> Float[Array, " haplotypes"]:
        """What the bound is a bound on, exactly."""
        return log_evidence(self.model, self.genome.data.counts)


def train_posterior(
    genome: Genome,
    config: TrainConfig,
    population_size: float,
    *,
    network: PotentialNetwork,
    key: PRNGKey,
    progress: bool = False,
) -> LearnedPosterior:
    """Maximise the bound over the network and N_e(t), on the observed genome alone.

    Args:
        genome: the data.
        config: how to train.
        population_size: diploid size to start from, and centre of its prior.
        network: where to start; untrained or warm.
        key: random key.
        progress: whether to show a progress bar.
    """
    sizes = size_model(config.demography, genome.grid, population_size)
    objective = Objective(sizes, config.estimator, config.draws)
    step_key, baseline_key = jax.random.split(key)
    levels = genome.grid.num_levels
    arrays, rest = eqx.partition(network, eqx.is_inexact_array)
    parameters = {
        "network": arrays,
        "sizes": jnp.asarray(sizes.mean, dtype=float),
        "baseline": Baseline(levels, _BASELINE_UNITS, key=baseline_key),
    }
    optimiser = _optimiser(config)
    step = _training_step(objective, optimiser, config, rest, sizes)
    state = (parameters, optimiser.init(parameters), step_key)
    rules = StoppingRules(temperature=config.min_temperature)
    rested = False
    with progress_bar(config.steps, "training", enabled=progress, unit="step") as bar:

        def after_chunk(taken: int, history: dict[str, np.ndarray]) -> bool:
            nonlocal rested
            bar.update(taken - bar.n)
            rested = _rested(history, config, rules)
            return config.stop_early and rested

        (parameters, _, _), history = run_in_chunks(
            step,
            genome,
            state,
            num_steps=config.steps,
            chunk_size=min(CHUNK_STEPS, config.steps),
            after_chunk=after_chunk,
        )
    return LearnedPosterior(
        network=eqx.combine(parameters["network"], rest),
        population_size=sizes_of_model(sizes, parameters["sizes"], genome.grid),
        genome=genome,
        history=history,
        converged=rested,
    )


def _optimiser(config: TrainConfig) -> GroupedAdam:
    rates = {
        "network": config.learning_rate_encoder,
        "sizes": config.learning_rate_sizes,
        "baseline": _BASELINE_RATE,
    }
    return GroupedAdam(rates, config.clip)


def _rested(history: dict[str, np.ndarray], config: TrainConfig, rules: StoppingRules) -> bool:
    temperature = history["temperature"]
    if config.estimator != "straight-through":  # nothing is relaxed, so there is nothing to cool
        temperature = np.full_like(temperature, config.min_temperature)
    return bool(at_rest(history["bound"], history["sizes"], temperature, rules))


def _training_step(
    objective: Objective,
    optimiser: GroupedAdam,
    config: TrainConfig,
    rest: PotentialNetwork,
    sizes: SizeModel,
) -> Any:
    def loss(
        parameters: PyTree, genome: Genome, chosen: Array, temperature: Array, key: PRNGKey
    ) -> tuple[Array, Bound]:
        whole = parameters | {"network": eqx.combine(parameters["network"], rest)}
        value, bound = objective.value(whole, genome, chosen, temperature, key=key)
        return -value, bound

    def step(genome: Genome, state: tuple, index: Int[Array, ""]) -> tuple[tuple, dict[str, Array]]:
        parameters, moments, key = state
        key, window_key, draw_key = jax.random.split(key, 3)
        windows = genome.windows.num_windows
        count = min(config.windows_per_step or windows, windows)
        chosen = jax.random.choice(window_key, windows, (count,), replace=False)
        temperature = annealed_temperature(
            index, config.steps, maximum=config.max_temperature, minimum=config.min_temperature
        )
        gradients, bound = jax.grad(loss, has_aux=True)(
            parameters, genome, chosen, temperature, draw_key
        )
        active = {}
        if config.optimisation == "alternating":
            periods = {"network": config.encoder_steps, "sizes": config.size_steps}
            active = taking_turns(index, periods)
        parameters, moments = optimiser.step(parameters, gradients, moments, active)
        record = {
            "bound": bound.elbo,
            "mutation": bound.mutation,
            "coalescent": bound.coalescent,
            "breakpoint": bound.breakpoint,
            "entropy": bound.entropy,
            "temperature": temperature,
            "sizes": sizes_of_model(sizes, parameters["sizes"], genome.grid).sizes,
        }
        return (parameters, moments, key), record

    return step


def train_towards(
    network: PotentialNetwork,
    genomes: Sequence[Genome],
    models: Sequence[CopyingModel],
    targets: Sequence[Target],
    *,
    steps: int,
    learning_rate: float,
    clip: float = 5.0,
    key: PRNGKey,
    progress: bool = False,
) -> tuple[PotentialNetwork, np.ndarray]:
    """Maximise the expected log probability of targets; one genome, drawn at random, per step.

    Args:
        network: where to start.
        genomes: one or more, of equal shapes, each in one window.
        models: the copying model of each.
        targets: one for each.
        steps: number of steps.
        learning_rate: of the network.
        clip: largest norm of the gradient.
        key: random key.
        progress: whether to show a progress bar.

    Returns:
        The network, and the objective per haplotype and bin before every step.
    """
    everything = jax.tree.map(
        lambda *leaves: jnp.stack(leaves), *zip(genomes, models, targets, strict=True)
    )
    arrays, rest = eqx.partition(network, eqx.is_inexact_array)
    optimiser = GroupedAdam({"network": learning_rate}, clip)
    parameters = {"network": arrays}
    with progress_bar(steps, "warm start", enabled=progress, unit="step") as bar:

        def after_chunk(taken: int, values: np.ndarray) -> bool:
            bar.update(taken - bar.n)
            return False

        (parameters, _, _), values = run_in_chunks(
            _target_step(optimiser, rest, len(genomes)),
            everything,
            (parameters, optimiser.init(parameters), key),
            num_steps=steps,
            chunk_size=min(CHUNK_STEPS, steps),
            after_chunk=after_chunk,
        )
    return eqx.combine(parameters["network"], rest), values / targets[0].breaks.size


def _target_step(optimiser: GroupedAdam, rest: PotentialNetwork, num_genomes: int) -> Any:
    def loss(parameters: PyTree, one: tuple[Genome, CopyingModel, Target]) -> Float[Array, ""]:
        genome, model, target = one
        window = jax.tree.map(lambda leaf: leaf[0], genome.windows)
        network = eqx.combine(parameters["network"], rest)
        residual = network(window.columns, window.features, genome.grid.times)
        analytic = analytic_potentials(model, genome.data.counts, genome.look_ahead)
        return -jnp.sum(expected_log_probability(model, residual + analytic, target))

    def step(data: tuple, state: tuple, index: Int[Array, ""]) -> tuple[tuple, Float[Array, ""]]:
        parameters, moments, key = state
        key, choice_key = jax.random.split(key)
        chosen = jax.random.randint(choice_key, (), 0, num_genomes)
        one = jax.tree.map(lambda leaf: leaf[chosen], data)
        value, gradients = jax.value_and_grad(loss)(parameters, one)
        parameters, moments = optimiser.step(parameters, gradients, moments, {})
        return (parameters, moments, key), -value

    return step
