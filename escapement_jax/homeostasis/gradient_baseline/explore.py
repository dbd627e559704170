"""The published recipe in one go: phase 1, then rounds of trials of phase 2 in every slot."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from tqdm import tqdm

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.gradient_baseline import GradientConfig
from escapement_jax.homeostasis.gradient_baseline.explorer import Trial, propose
from escapement_jax.homeostasis.gradient_baseline.frames import TrainingFrames, training_frames
from escapement_jax.homeostasis.gradient_baseline.losses import Reactions
from escapement_jax.homeostasis.gradient_baseline.phase_one import train_phase_one
from escapement_jax.homeostasis.gradient_baseline.phase_two import train_phase_two
from escapement_jax.homeostasis.gradient_baseline.substrate_network import (
    SubstrateNetwork,
    single_precision,
    untrained_substrate_network,
)
from escapement_jax.homeostasis.model import MetabolicModel
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.source_view.node_function import NodeFunction
from escapement_jax.homeostasis.time_courses import TimeCourses
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.named_arrays import pack_tree, unpack_tree
from escapement_jax.training.progress import progress_bar


@dataclasses.dataclass(frozen=True)
class Exploration:
    """What the published recipe has found.

    Attributes:
        reactions: The model of phase 1.
        phase_one_losses: Its mean loss in every chunk of steps; empty where it was given.
        trials: All trials of phase 2, in the order they were made; parents are indices into it.
        nodes: The node function of every trial.
        losses: Mean loss of every trial in every chunk of steps.
    """

    reactions: SubstrateNetwork | MetabolicModel
    phase_one_losses: Float[np.ndarray, " chunks"]
    trials: list[Trial]
    nodes: list[NodeFunction]
    losses: Float[np.ndarray, "trials chunks"]

    @property
    def best(self) -> int:
        """Index of the trial with the highest reward."""
        return int(np.argmax([trial.reward for trial in self.trials]))

    @property
    def log10_rates(self) -> Float[np.ndarray, " reactions"]:
        """log10 rate constants of the frozen reactions."""
        if isinstance(self.reactions, SubstrateNetwork):
            return np.asarray(self.reactions.normalised_log10_rates)
        return np.log10(np.asarray(self.reactions.rates))

    @property
    def best_node(self) -> NodeFunction:
        """The node function of the best trial."""
        return self.nodes[self.best]


def explore_gradient_recipes(
    courses: TimeCourses,
    network: Network,
    config: GradientConfig,
    *,
    euler: bool,
    key: PRNGKey,
    seed: int = 0,
    reactions: MetabolicModel | None = None,
    progress: bool = False,
    keeper: Keeper | None = None,
) -> Exploration:
    """Train the published recipe over a grid of options; no label and no truth is ever used.

    Every round makes a few trials, side by side, for every rollout length. The reward is the share
    of what the frozen reactions leave over that the node function explains on frames held out.

    Args:
        courses: Complete time courses at regular times.
        network: The reactions.
        config: Sizes of both phases and of the exploration.
        euler: Whether the data are Euler steps.
        key: Random key.
        seed: Seed of the exploration.
        reactions: A model to freeze, whose homeostasis is not used; by default phase 1 is trained.
        progress: Whether to show a progress bar.
        keeper: Takes the reactions after phase 1, and brings them.

    Raises:
        ValueError: The data are not as the recipe needs them.
    """
    frames = training_frames(courses, euler=euler, held_out=config.held_out)
    _check_lengths(frames, config)
    one_key, train_key, two_key = jax.random.split(key, 3)
    slots = len(config.rollout_lengths)
    total = config.phase_two_steps * slots * config.rounds
    total += 0 if reactions is not None else config.phase_one_steps
    with progress_bar(total, "published recipe", enabled=progress, unit="step") as bar:
        phase_one_losses = np.zeros(0)
        if reactions is None:
            untrained = untrained_substrate_network(network, key=one_key)
            frozen, phase_one_losses = _phase_one(
                untrained, frames, config, bar, keeper or Keeper(), key=train_key
            )
        else:
            frozen = single_precision(_without_homeostasis(reactions))
        search = _Search(frozen, frames, config, two_key, bar)
        generator = np.random.default_rng(seed)
        for number in range(config.rounds):
            for slot, length in enumerate(config.rollout_lengths):
                search.run_round(length, number * slots + slot, generator)
    return Exploration(
        frozen, phase_one_losses, search.trials, search.nodes, np.concatenate(search.losses)
    )


def _phase_one(
    untrained: SubstrateNetwork,
    frames: TrainingFrames,
    config: GradientConfig,
    bar: tqdm,
    keeper: Keeper,
    *,
    key: PRNGKey,
) -> tuple[SubstrateNetwork, np.ndarray]:
    """Train phase 1, unless it is kept."""
    if (arrays := keeper.kept("phase one")) is not None:
        bar.update(config.phase_one_steps)
        reactions, losses = unpack_tree((untrained, np.zeros(0)), arrays)
        return reactions, losses
    trained = train_phase_one(untrained, frames, config, key=key, bar=bar)
    keeper.offer("phase one", "phase 1 of the recipe trained", lambda: pack_tree(trained))
    return trained


def held_out_reward(node: NodeFunction, reactions: Reactions, frames: TrainingFrames) -> float:
    """Return the share of the residual that a node function explains on held-out frames, >= -1.

    ``1 - |y - r(c) - h(c)|^2 / |y - r(c)|^2``: 0 for no homeostasis at all, 1 if nothing is left.

    Args:
        node: Homeostasis.
        reactions: ``dc/dt`` by the frozen reactions.
        frames: Data.
    """
    left_over, remaining = (np.asarray(part) for part in _residuals(node, reactions, frames))
    share = 1 - float((remaining**2).sum() / (left_over**2).sum())
    return max(share, -1.0) if math.isfinite(share) else -1.0


@eqx.filter_jit
def _residuals(
    node: NodeFunction, reactions: Reactions, frames: TrainingFrames
) -> tuple[Array, Array]:
    states = frames.held_out[:, :-1]
    both = jax.vmap(jax.vmap(lambda state: (reactions(state), node(state))))
    reacted, pulled = both(states)
    left_over = frames.held_out_derivatives - reacted
    return left_over, left_over - pulled


class _Search:
    """The trials so far."""

    def __init__(
        self,
        reactions: Reactions,
        frames: TrainingFrames,
        config: GradientConfig,
        key: PRNGKey,
        bar: tqdm,
    ) -> None:
        self.reactions, self.frames, self.config = reactions, frames, config
        self.key, self.bar = key, bar
        self.trials: list[Trial] = []
        self.nodes: list[NodeFunction] = []
        self.losses: list[np.ndarray] = []

    def run_round(self, length: int, number: int, generator: np.random.Generator) -> None:
        """Run the trials of one slot in one round, side by side."""
        proposed = propose(
            self.trials,
            rollout_length=length,
            count=self.config.parallel,
            exploration=self.config.exploration,
            generator=generator,
        )
        nodes, losses = train_phase_two(
            self.reactions,
            self.frames,
            [trial.recipe for trial in proposed],
            batch=self.config.phase_two_batch,
            num_steps=self.config.phase_two_steps,
            key=jax.random.fold_in(self.key, number),
            bar=self.bar,
        )
        for trial, node in zip(proposed, nodes, strict=True):
            reward = held_out_reward(node, self.reactions, self.frames)
            self.trials.append(dataclasses.replace(trial, reward=reward))
        self.nodes += nodes
        self.losses.append(losses)


def _without_homeostasis(model: MetabolicModel) -> MetabolicModel:
    return eqx.tree_at(lambda tree: (tree.slopes, tree.offsets), model, replace_fn=jnp.zeros_like)


def _check_lengths(frames: TrainingFrames, config: GradientConfig) -> None:
    longest = max(config.rollout_lengths)
    if frames.num_frames <= longest or frames.held_out.shape[1] < 2:
        raise ValueError(
            f"rollouts of {longest} steps need more than {frames.num_frames} frames to train on; "
            "give shorter rollout_lengths or more data"
        )
