"""How much discoveries change when they are disturbed."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.experiment import Experiment, Observations
from escapement_jax.curiosity.interventions.perturbations import AbstractPerturbation
from escapement_jax.curiosity.rollouts.codes import RolloutCode


class Robustness(eqx.Module):
    """What disturbances do to every member of an archive.

    Attributes:
        sensitivity: Mean distance between the descriptors with and without disturbance, each in
            units of the extent of its axis; NaN where no disturbed rollout kept the behaviour.
        still_found: Share of the disturbances after which the behaviour is still found.
        failed: Share of the disturbances after which the rollout failed.
    """

    sensitivity: Float[Array, " members"]
    still_found: Float[Array, " members"]
    failed: Float[Array, " members"]


def robustness(
    experiment: Experiment,
    parameters: Float[Array, "members parameters"],
    perturbation: AbstractPerturbation,
    *,
    num_perturbations: int = 3,
    batch_size: int = 500,
    key: PRNGKey,
) -> Robustness:
    """Disturb every member of an archive several times and see what becomes of its behaviour.

    Args:
        experiment: The experiment of the archive, without an intervention of its own.
        parameters: The members.
        perturbation: How they are disturbed.
        num_perturbations: Disturbances per member.
        batch_size: Members solved at once.
        key: Random key.

    Raises:
        ValueError: There are no members or no disturbances, or the experiment has an intervention.
    """
    members = parameters.shape[0]
    if not members or num_perturbations < 1:
        raise ValueError(
            f"there are {members} members and {num_perturbations} disturbances of each; robustness "
            "needs at least one of both"
        )
    if experiment.intervention is not None:
        raise ValueError("the experiment has an intervention already; give one without")
    test = eqx.filter_jit(_disturbed)
    size = min(batch_size, members)
    parts = []
    for start in range(0, members, size):
        # The last batch overlaps the one before, so that one compilation serves all.
        first = min(start, members - size)
        batch_key = jax.random.fold_in(key, start)
        found = test(
            experiment,
            parameters[first : first + size],
            perturbation,
            jax.random.split(batch_key, num_perturbations),
        )
        parts.append(jax.tree.map(lambda part, skip=start - first: part[skip:], found))
    return jax.tree.map(lambda *pieces: jnp.concatenate(pieces), *parts)


def _disturbed(
    experiment: Experiment,
    parameters: Float[Array, "batch parameters"],
    perturbation: AbstractPerturbation,
    keys: Key[Array, " perturbations"],
) -> Robustness:
    plain = experiment(parameters)
    courses = full_courses(experiment, parameters)

    def once(key: PRNGKey) -> tuple[Array, Array, Array]:
        seen = experiment_after(experiment, parameters, courses, perturbation, key=key)
        shift = (seen.descriptors - plain.descriptors) / _extent_of(experiment, parameters)
        distance = jnp.linalg.norm(shift, axis=1)
        kept = plain.found & seen.found
        return jnp.where(kept, distance, 0), kept, seen.codes != RolloutCode.OK

    distance, kept, failed = jax.lax.map(once, keys)
    number = kept.sum(0, dtype=distance.dtype)
    mean = distance.sum(0) / jnp.maximum(number, 1)
    return Robustness(
        jnp.where(number > 0, mean, jnp.nan),
        kept.mean(0, dtype=parameters.dtype),
        failed.mean(0, dtype=parameters.dtype),
    )


def full_courses(
    experiment: Experiment, parameters: Float[Array, "batch parameters"]
) -> Float[Array, "batch states steps"]:
    """Solve again, keeping every state at every step."""
    system, rollout = experiment.system, experiment.rollout
    whole = dataclasses.replace(
        rollout, num_kept=rollout.num_steps, observed=tuple(range(system.num_states))
    )
    return jnp.moveaxis(whole(system, parameters).states, -1, 0)


def experiment_after(
    experiment: Experiment,
    parameters: Float[Array, "batch parameters"],
    courses: Float[Array, "batch states steps"],
    perturbation: AbstractPerturbation,
    *,
    key: PRNGKey,
) -> Observations:
    """Draw one disturbance for every member and observe the disturbed rollouts."""

    def draw(member: Array, course: Array, member_key: PRNGKey):
        return perturbation.draw(
            member,
            course,
            experiment.system.box,
            step_size=experiment.rollout.step_size,
            key=member_key,
        )

    member_keys = jax.random.split(key, parameters.shape[0])
    moved, action = eqx.filter_vmap(draw)(parameters, courses, member_keys)
    if action is not None:
        action = dataclasses.replace(action, batched=True)
    disturbed = dataclasses.replace(experiment, intervention=action)
    return disturbed(moved)


def _extent_of(experiment: Experiment, like: Array) -> Float[Array, "1 descriptors"]:
    behaviour = experiment.behaviour
    low, high = jnp.array(behaviour.low, like.dtype), jnp.array(behaviour.high, like.dtype)
    return (high - low)[None]
