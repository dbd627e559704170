"""Explore what a system can do: the whole search, from an experiment to its history."""

from collections.abc import Callable
from typing import Any

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.curiosity.behaviour.oscillation import Oscillation
from escapement_jax.curiosity.behaviour.source_oscillation import SourceOscillation
from escapement_jax.curiosity.diversity.grid import DescriptorGrid
from escapement_jax.curiosity.experiment import Experiment
from escapement_jax.curiosity.history import History
from escapement_jax.curiosity.rollouts.fixed_step import FixedStepRollout
from escapement_jax.curiosity.search.base import AbstractStrategy
from escapement_jax.curiosity.search.descriptor_goals import DescriptorGoals
from escapement_jax.curiosity.search.frontier import Frontier
from escapement_jax.curiosity.search.learning_progress import LearningProgressFlow
from escapement_jax.curiosity.search.map_elites import MapElites
from escapement_jax.curiosity.search.novelty import NoveltySearch
from escapement_jax.curiosity.search.random_search import RandomSearch
from escapement_jax.curiosity.search.search import Search
from escapement_jax.curiosity.search.source_goals import SourceGoals
from escapement_jax.curiosity.search.starts import RandomStart
from escapement_jax.curiosity.search.unstable_foci import UnstableFocusStart
from escapement_jax.curiosity.systems.base import AbstractSystem
from escapement_jax.training.progress import progress_bar


def explore(
    experiment: Experiment | AbstractSystem,
    config: ExploreConfig | None = None,
    *,
    key: PRNGKey,
    history: History | None = None,
    progress: bool = False,
    on_checkpoint: Callable[[History], None] | None = None,
) -> History:
    """Search for the many things a system can do.

    Args:
        experiment: What is done with parameters; a system alone is solved and observed as the
            configuration says.
        config: Strategy, budget and sizes.
        key: Key of the run; the same key gives the same history.
        history: Rollouts of the same search with the same key, to go on from bit for bit; the
            budget may be larger than theirs.
        progress: Whether a bar is shown.
        on_checkpoint: Called with the history so far every `checkpoint_every` batches.

    Returns:
        All rollouts.

    Raises:
        ValueError: The history belongs to another search, or the goal space is empty.
    """
    settings = config or ExploreConfig()
    if isinstance(experiment, AbstractSystem):
        experiment = default_experiment(experiment, settings)
    search = make_search(experiment, settings)
    identity = identify(search)
    state = search.init(key=key)
    if history is not None:
        history.check_same(identity)
        state = history.put_into(state)
    done, total = int(state.library.num_done), search.capacity // search.batch_size
    batch = done // search.batch_size
    with progress_bar(total - batch, "exploring", enabled=progress, unit="batch") as bar:
        while batch < total:
            following = min(batch + settings.checkpoint_every, total)
            state = search.run(state, following)
            bar.update(following - batch)
            batch = following
            if on_checkpoint is not None:
                on_checkpoint(History.of_state(state, identity))
    return History.of_state(state, identity)


def make_search(experiment: Experiment, config: ExploreConfig) -> Search:
    """Make the search that a configuration describes; the budget is filled with whole batches."""
    size = config.rollouts_per_batch
    grid = DescriptorGrid(experiment.behaviour.low, experiment.behaviour.high, config.bins)
    start = UnstableFocusStart() if config.start_kind == "unstable-focus" else RandomStart()
    return Search(
        experiment,
        make_strategy(config.strategy, experiment.system, grid),
        start,
        size,
        -(-config.starts // size) * size,
        -(-config.budget // size) * size,
    )


def make_strategy(name: str, system: AbstractSystem, grid: DescriptorGrid) -> AbstractStrategy:
    """Make a strategy by the name it has in configurations.

    Raises:
        ValueError: There is no such strategy.
    """
    box = system.box
    strategies: dict[str, Callable[[], AbstractStrategy]] = {
        "random": lambda: RandomSearch(box),
        "imgep": lambda: SourceGoals(box),
        "descriptor-goals": lambda: DescriptorGoals(box, grid),
        "imflow": lambda: LearningProgressFlow(box, grid),
        "map-elites": lambda: MapElites(box, grid),
        "novelty": lambda: NoveltySearch(box, grid),
        "frontier": lambda: Frontier(box, grid),
    }
    if name not in strategies:
        raise ValueError(f"there is no strategy {name!r}; choose {', '.join(strategies)}")
    return strategies[name]()


def default_experiment(system: AbstractSystem, config: ExploreConfig) -> Experiment:
    """Solve a system with fixed steps and look for oscillations, as a configuration says.

    Raises:
        ValueError: The solver is stiff or the behaviour has an extent of its own; make an
            `Experiment` then.
    """
    if config.solver == "stiff" or config.behaviour == "end-point":
        raise ValueError(
            f"solver {config.solver} with behaviour {config.behaviour} needs more than a system; "
            "give an Experiment"
        )
    names = config.observed or system.state_names[:1]
    unknown = [name for name in names if name not in system.state_names]
    if unknown:
        raise ValueError(
            f"there is no state {unknown[0]!r} to observe; choose {', '.join(system.state_names)}"
        )
    rollout = FixedStepRollout(
        config.num_steps,
        config.step_size,
        config.num_kept or max(config.num_steps // 2, 1),
        method=config.solver,
        observed=tuple(system.state_names.index(name) for name in names),
    )
    source = SourceOscillation(num_bins=None if config.strategy == "imgep" else 0)
    behaviour = Oscillation() if config.behaviour == "oscillation" else source
    return Experiment(system, rollout, behaviour)


def identify(search: Search) -> dict[str, Any]:
    """Return what a history must agree in to be gone on with: all but the budget."""
    return {
        "experiment": search.experiment.describe(),
        "strategy": search.strategy.describe(),
        "start": type(search.start).__name__,
        "num_starts": search.num_starts,
        "batch_size": search.batch_size,
        "precision": str(search.experiment.system.box.low.dtype),
    }
