"""Searches of pyribs (Tjanaka et al. 2023, GECCO) on the systems and behaviours of this library."""

import json
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.curiosity.diversity.grid import DescriptorGrid
from escapement_jax.curiosity.experiment import Experiment
from escapement_jax.curiosity.history import History


def cma_me_scheduler(
    experiment: Experiment,
    starts: Float[Array, "emitters parameters"],
    *,
    bins: int = 20,
    batch_size: int = 20,
    step: float = 0.1,
    seed: int = 1,
) -> Any:
    """Return CMA-ME with improvement emitters (Fontaine et al. 2020) over the unit box.

    Args:
        experiment: What is explored; its behaviour gives the axes of the archive.
        starts: Parameters that each emitter starts from; give some that show the behaviour.
        bins: Cells per axis of the archive.
        batch_size: Solutions per emitter and round.
        step: First step size of the evolution strategies, in units of the box.
        seed: Seed of the emitters.

    Returns:
        A `ribs.schedulers.Scheduler` for `explore_with_pyribs`.

    Raises:
        ImportError: pyribs is missing.
    """
    ribs = _import_ribs()
    size, behaviour = experiment.system.box.size, experiment.behaviour
    grid = DescriptorGrid(behaviour.low, behaviour.high, bins)
    archive = ribs.archives.GridArchive(
        solution_dim=size,
        dims=grid.shape,
        ranges=list(zip(grid.low, grid.high, strict=True)),
        seed=seed,
    )
    strategies = [
        ribs.emitters.EvolutionStrategyEmitter(
            archive,
            x0=np.clip(x0, 0.0, 1.0),
            sigma0=step,
            ranker="2imp",
            bounds=[(0.0, 1.0)] * size,
            batch_size=batch_size,
            seed=seed + place,
        )
        for place, x0 in enumerate(np.asarray(experiment.system.box.to_unit(starts), float))
    ]
    return ribs.schedulers.Scheduler(archive, strategies)


def explore_with_pyribs(experiment: Experiment, scheduler: Any, *, budget: int) -> History:
    """Let any scheduler of pyribs search, by its `ask` and `tell`.

    Solutions are parameters in units of the box; the objective is the quality, -1 where the
    behaviour looked for was not found.

    Args:
        experiment: What is done with parameters.
        scheduler: A scheduler whose archive measures the descriptors of the experiment.
        budget: Rollouts; the last round is made whole.

    Returns:
        All rollouts. The state of the scheduler is not part of it: it cannot be gone on with.

    Raises:
        ValueError: The scheduler asks for solutions of another dimension than the system has.
    """
    box, observe = experiment.system.box, eqx.filter_jit(experiment)
    rounds: list[list[np.ndarray]] = []
    done = 0
    while done < budget:
        unit = np.asarray(scheduler.ask())
        if unit.shape[1] != box.size:
            raise ValueError(
                f"the scheduler asks for solutions of {unit.shape[1]} numbers, but the system has "
                f"{box.size} parameters"
            )
        parameters = box.from_unit(jnp.asarray(unit, box.low.dtype))
        seen = observe(parameters)
        found, quality = np.asarray(seen.found), np.asarray(seen.quality)
        descriptors = np.asarray(seen.descriptors)
        scheduler.tell(np.where(found, quality, -1.0), descriptors)
        codes = np.asarray(seen.codes, np.int8)
        rounds.append([np.asarray(parameters), descriptors, found, quality, codes])
        done += len(unit)
    records = [np.concatenate(parts) for parts in zip(*rounds, strict=True)]
    identity = {"experiment": experiment.describe(), "strategy": _describe(scheduler)}
    return History(
        *records,
        parents=np.full(done, -1),
        memory=(),
        key_data=np.zeros(2, np.uint32),
        identity=json.dumps(identity, sort_keys=True),
    )


def _describe(scheduler: Any) -> dict[str, Any]:
    emitters = [type(emitter).__name__ for emitter in scheduler.emitters]
    return {"kind": "pyribs", "scheduler": type(scheduler).__name__, "emitters": emitters}


def _import_ribs() -> Any:
    try:
        import ribs.archives
        import ribs.emitters
        import ribs.schedulers
    except ImportError:
        raise ImportError('pyribs is missing: pip install "escapement-jax[pyribs]"') from None
    return ribs
