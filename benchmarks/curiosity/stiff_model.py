"""Time and error of stiff rollouts: BioModel 647, 100 initial states, 2,500 s.

    python -m benchmarks.curiosity.stiff_model

The reference is SciPy's Radau at a relative tolerance of 1e-8. The error of a state at a time is
`|x - r| / (|r| + 0.001)`, as for the published solver.
"""

import resource
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.record import write_result
from escapement_jax.curiosity.models import ReactionSystem, StiffRollout
from escapement_jax.data import rkip_erk_model
from escapement_jax.io.sbml import read_sbml

MEMBERS = 100
RESULT = Path("benchmarks/results/curiosity_stiff_model.json")
SETTINGS = ((3, 1e-4), (4, 1e-4), (5, 1e-4))


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def system_and_members():
    """Initial states between zero and the largest value of each species in the default run."""
    network = read_sbml(rkip_erk_model())
    top = {"Raf1": 2, "RKIP": 2.5, "Raf1_RKIP": 0.315, "Raf1_RKIP_ERKPP": 1.649, "ERK": 0.036}
    top |= {"RKIPP": 0.019, "MEKPP": 2.5, "MEKPP_ERK": 0.676, "ERKPP": 2.5, "RP": 3}
    top |= {"RKIPP_RP": 0.059}
    ranges = {name: (0.0, float(value)) for name, value in top.items()}
    system = ReactionSystem(network, states=ranges, constants={})
    return system, system.box.sample(MEMBERS, key=jax.random.key(0))


def reference(system, members, times):
    """[states, times, members]."""
    field = jax.jit(lambda y, args: system.vector_field(jnp.zeros(()), y, args))
    slope = jax.jit(jax.jacfwd(lambda y, args: system.vector_field(jnp.zeros(()), y, args)))
    courses = []
    for member in members:
        y0, args = system.unpack(member)
        solution = solve_ivp(
            lambda t, y, args=args: np.asarray(field(y, args)),
            (0.0, 2500.0),
            np.asarray(y0),
            t_eval=times,
            jac=lambda t, y, args=args: np.asarray(slope(y, args)),
            method="Radau",
            rtol=1e-8,
            atol=1e-11,
        )
        courses.append(solution.y)
    return np.stack(courses, axis=-1)


def measure(system, members, truth, order, tolerance):
    rollout = StiffRollout(
        observed=tuple(range(system.num_states)),
        relative_tolerance=tolerance,
        absolute_tolerance=tolerance / 100,
        order=order,
    )
    solve = eqx.filter_jit(rollout)
    start = cpu_seconds()
    jax.block_until_ready(solve(system, members))
    compiled = cpu_seconds() - start
    spent = []
    for _ in range(5):
        start, wall = cpu_seconds(), time.perf_counter()
        seen = jax.block_until_ready(solve(system, members))
        spent.append((cpu_seconds() - start, time.perf_counter() - wall))
    error = np.abs(np.asarray(seen.states) - truth) / (np.abs(truth) + 1e-3)
    final = error[:, -1]
    return {
        "order": order,
        "relative_tolerance": tolerance,
        "cpu_seconds": min(cpu for cpu, _ in spent),
        "wall_seconds": min(wall for _, wall in spent),
        "first_call_cpu_seconds": compiled,
        "median_error": float(np.median(error)),
        "largest_error": float(error.max()),
        "largest_error_at_the_end": float(final.max()),
        "members_off_by_1_per_cent": int((error.max(axis=(0, 1)) > 0.01).sum()),
        "members_off_by_1_per_mille": int((error.max(axis=(0, 1)) > 1e-3).sum()),
        "failed": int((np.asarray(seen.codes) != 0).sum()),
    }


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    system, members = system_and_members()
    times = 10.0 * np.arange(250)
    truth = reference(system, members, times)
    rows = []
    for order, tolerance in SETTINGS:
        rows.append(measure(system, members, truth, order, tolerance))
        print(rows[-1], flush=True)
    published = {"cpu_seconds": 3.25, "members_off_by_1_per_cent": 15}
    write_result(
        RESULT,
        {"published_solver": published, "measured": rows},
    )


if __name__ == "__main__":
    main()
