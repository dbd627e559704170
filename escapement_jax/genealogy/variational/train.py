"""Training of the network and of N_e(t): on observed genomes, or towards targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.training import TrainConfig
from escapement_jax.genealogy.copying.copying_model import CopyingModel, log_evidence
from escapement_jax.genealogy.demography.size_models import size_model
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
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.loop import run_in_chunks
from escapement_jax.training.machines import my_share, num_machines, sum_tree_over_machines
from escapement_jax.training.optimiser import GroupedAdam, taking_turns
from escapement_jax.training.progress import progress_bar
from escapement_jax.training.stopping import StoppingRules, at_rest

CHUNK_STEPS = 50
SIZES_EVERY = 100
TRAINING, WARM_START = "training", "warm start"
"""Sections of the state that is kept."""

_BASELINE_UNITS = 32
_BASELINE_RATE = 1e-2

_State = tuple[PyTree, PyTree, PRNGKey]
_Slopes = tuple[PyTree, Bound]
_Moved = tuple[_State, dict[str, Array]]


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
    keeper: Keeper | None = None,
) -> LearnedPosterior:
    """Maximise the bound over the network and N_e(t), on the observed genome alone.

    Several processes share out the windows of every step, and add up their gradients.

    Args:
        genome: the data.
        config: how to train.
        population_size: diploid size to start from, and centre of its prior.
        network: where to start; untrained or warm.
        key: random key.
        progress: whether to show a progress bar.
        keeper: takes the state on the way, and brings one to go on from, bit for bit.

    Raises:
        ValueError: there are more processes than windows in a step.
    """
    sizes = size_model(config.demography, genome.grid, population_size)
    objective = Objective(sizes, config.estimator, config.draws)
    arrays, rest = eqx.partition(network, eqx.is_inexact_array)
    step = _TrainingStep(objective, _optimiser(config), config, rest)
    alone, rested = num_machines() == 1, False
    with progress_bar(config.steps, "training", enabled=progress, unit="step") as bar:

        def after_chunk(taken: int, history: dict[str, np.ndarray]) -> bool:
            nonlocal rested
            bar.update(taken - bar.n)
            rested = _rested(history, config)
            return config.stop_early and rested

        (parameters, _, _), history = run_in_chunks(
            step if alone else step.on_machines(genome),
            genome,
            step.start(arrays, genome, key),
            num_steps=config.steps,
            chunk_size=min(CHUNK_STEPS, config.steps),
            after_chunk=after_chunk,
            compiled=alone,
            keeper=keeper,
            section=TRAINING,
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


def _rested(history: dict[str, np.ndarray], config: TrainConfig) -> bool:
    temperature = history["temperature"]
    if config.estimator != "straight-through":  # nothing is relaxed, so there is nothing to cool
        temperature = np.full_like(temperature, config.min_temperature)
    rules = StoppingRules(temperature=config.min_temperature)
    return bool(at_rest(history["bound"], history["sizes"], temperature, rules))


@dataclass(frozen=True, eq=False)
class _TrainingStep:
    """One step of the optimisation: the slopes of the bound, and the move that they lead to."""

    objective: Objective
    optimiser: GroupedAdam
    config: TrainConfig
    rest: PotentialNetwork

    def __call__(self, genome: Genome, state: _State, index: Int[Array, ""]) -> _Moved:
        return self.move(genome, state, index, self.slopes(genome, state, index))

    def start(self, network: PotentialNetwork, genome: Genome, key: PRNGKey) -> _State:
        """Parameters, moments and key before the first step."""
        step_key, baseline_key = jax.random.split(key)
        parameters = {
            "network": network,
            "sizes": jnp.asarray(self.objective.sizes.mean, dtype=float),
            "baseline": Baseline(genome.grid.num_levels, _BASELINE_UNITS, key=baseline_key),
        }
        return parameters, self.optimiser.init(parameters), step_key

    def slopes(
        self,
        genome: Genome,
        state: _State,
        index: Int[Array, ""],
        share: Sequence[int] | None = None,
    ) -> _Slopes:
        """Gradient of what is minimised, and the bound, summed over a share of the windows."""
        parameters, _, key = state
        _, window_key, draw_key = jax.random.split(key, 3)
        size = (windows_per_step(self.config, genome),)
        chosen = jax.random.choice(window_key, genome.windows.num_windows, size, replace=False)

        def loss(parameters: PyTree) -> tuple[Array, Bound]:
            whole = parameters | {"network": eqx.combine(parameters["network"], self.rest)}
            told = (whole, genome, chosen, self._temperature(index))
            value, bound = self.objective.value(*told, key=draw_key, share=share)
            return -value, bound

        return jax.grad(loss, has_aux=True)(parameters)

    def move(self, genome: Genome, state: _State, index: Int[Array, ""], slopes: _Slopes) -> _Moved:
        """Follow the gradient of all windows; returns the state and a record of what was before."""
        (parameters, moments, key), (gradients, bound) = state, slopes
        active = {}
        if self.config.optimisation == "alternating":
            periods = {"network": self.config.encoder_steps, "sizes": self.config.size_steps}
            active = taking_turns(index, periods)
        moved, moments = self.optimiser.step(parameters, gradients, moments, active)
        record = {
            "bound": bound.elbo,
            "mutation": bound.mutation,
            "coalescent": bound.coalescent,
            "breakpoint": bound.breakpoint,
            "entropy": bound.entropy,
            "temperature": self._temperature(index),
            "sizes": sizes_of_model(self.objective.sizes, moved["sizes"], genome.grid).sizes,
        }
        return (moved, moments, jax.random.split(key, 3)[0]), record

    def on_machines(self, genome: Genome) -> Callable[[Genome, _State, Int[Array, ""]], _Moved]:
        """The same step of several processes, each with its share of the windows."""
        number = windows_per_step(self.config, genome)
        if num_machines() > number:
            raise ValueError(
                f"there are {num_machines()} processes for {number} windows in a step; give fewer "
                "processes, smaller --window-bins or more --windows-per-step"
            )
        slopes = eqx.filter_jit(partial(self.slopes, share=my_share(range(number))))
        move = eqx.filter_jit(self.move)

        def step(genome: Genome, state: _State, index: Int[Array, ""]) -> _Moved:
            summed = sum_tree_over_machines(slopes(genome, state, index))
            return move(genome, state, index, summed)

        return step

    def _temperature(self, index: Int[Array, ""]) -> Float[Array, ""]:
        config = self.config
        return annealed_temperature(
            index, config.steps, maximum=config.max_temperature, minimum=config.min_temperature
        )


def windows_per_step(config: TrainConfig, genome: Genome) -> int:
    """Number of windows that a step looks at: as told, or all."""
    windows = genome.windows.num_windows
    return min(config.windows_per_step or windows, windows)


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
    keeper: Keeper | None = None,
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
        keeper: takes the state on the way, and brings one to go on from, bit for bit.

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
            keeper=keeper,
            section=WARM_START,
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
