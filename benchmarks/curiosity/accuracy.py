"""Period and swing of the original's oscillators by the default rollout, against a tight solve.

    python -m benchmarks.curiosity.accuracy

The tight solve is Runge-Kutta 4 with steps of 0.0025 s in double precision.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.record import write_result
from escapement_jax.curiosity import Experiment, TranscriptionalCircuit
from escapement_jax.curiosity.behaviour import Oscillation, SourceOscillation
from escapement_jax.curiosity.rollouts import FixedStepRollout
from tests.curiosity.test_parity import ARCHIVE, archived_parameters

CASES = {
    "rk4 0.1": Experiment(TranscriptionalCircuit(), FixedStepRollout(), Oscillation()),
    "euler 0.01, published rule": Experiment(
        TranscriptionalCircuit(),
        FixedStepRollout(10_000, 0.01, 5000, "euler"),
        SourceOscillation(num_bins=0),
    ),
}
TIGHT = Experiment(
    TranscriptionalCircuit(), FixedStepRollout(40_000, 0.0025, 20_000), Oscillation()
)
RESULT = Path("benchmarks/results/curiosity_accuracy.json")


def observe(experiment: Experiment, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    look = jax.jit(lambda rows: experiment(rows))
    seen = [look(jnp.asarray(parameters[i : i + 150])) for i in range(0, len(parameters), 150)]
    found = np.concatenate([np.asarray(one.found) for one in seen])
    return found, np.concatenate([np.asarray(one.descriptors) for one in seen])


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    with np.load(ARCHIVE) as archive:
        parameters = archived_parameters(archive)
        periodic = np.unpackbits(archive["periodic"])[:10_000].astype(bool)
    stored = parameters[:5000][periodic[:5000]]
    true_found, truth = observe(TIGHT, stored.astype(np.float64))
    result = {"circuits": len(stored), "sustained_in_tight_solve": int(true_found.sum())}
    for name, experiment in CASES.items():
        found, seen = observe(experiment, stored)
        both = found & true_found
        errors = {
            "period": np.abs(truth[both, 2] / seen[both, 2] - 1),
            "swing": np.abs(seen[both, 1] / truth[both, 1] - 1),
        }
        result[name] = {"found": int(found.sum()), "in_both": int(both.sum())} | {
            f"{what}_relative_error": {
                "median": float(np.median(error)),
                "p90": float(np.percentile(error, 90)),
            }
            for what, error in errors.items()
        }
        print(name, result[name])
    write_result(RESULT, result)


if __name__ == "__main__":
    main()
