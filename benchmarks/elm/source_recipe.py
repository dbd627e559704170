"""The published recipe in PyTorch beside ours, in one run and one thread.

    python -m benchmarks.elm.source_recipe

PyTorch is optional: without it only our side is timed. `--epochs N` trains for N epochs at most on
either side, so that the cost of an epoch can be compared in a minute; by default both train until
they stop. The published data loader reads one individual at a time from HDF5; here PyTorch reads
from memory, which favours it.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
os.environ.setdefault("OMP_NUM_THREADS", "1")

import equinox as eqx
import jax
import numpy as np

from benchmarks.elm.published_data import published, split
from benchmarks.record import write_result
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.elm.decompose import decompose
from escapement_jax.elm.effects import Effects
from escapement_jax.elm.linear_map.jacobian import jacobians
from escapement_jax.elm.linear_map.pair_contrast import four_genotype_contrast
from escapement_jax.elm.networks.build import build_network

OUTPUT = Path("benchmarks/results/elm_source_recipe.json")
WIDTH, BATCH, PATIENCE, MIN_DELTA, PLATEAU = 1024, 128, 10, 3e-3, 3


def cpu_seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of an action, and what it gives."""
    started = time.process_time()
    result = action()
    return time.process_time() - started, result


def ours(heritability: float, epochs: int) -> dict[str, Any]:
    """One replicate through the library, twice: the first run compiles."""
    study = published(heritability)
    config = DecomposeConfig(method="source", split="last", max_epochs=epochs, anchors=(), seed=42)
    coded = study.coded()

    def run() -> Effects:
        return decompose(coded, study.phenotypes, config, key=jax.random.key(42))

    first, _ = cpu_seconds(run)
    second, effects = cpu_seconds(run)
    network = effects.network
    assert network is not None
    trained = int(np.asarray(network.num_epochs)[0])
    return {
        "first_run_cpu_seconds": first,
        "cpu_seconds": second,
        "epochs": trained,
        "test_correlation_squared": (np.asarray(network.test_correlation) ** 2).tolist(),
        "extraction_cpu_seconds": extraction(split(study).test.inputs),
    }


def extraction(genotypes: jax.Array) -> float:
    """All sensitivities and all pair contrasts of five traits, of a network of the same shape."""
    network = build_network("mlp", 64, WIDTH, 5, constant_channel=False, key=jax.random.key(0))

    @eqx.filter_jit
    def read(network: eqx.Module, genotypes: jax.Array) -> jax.Array:
        return four_genotype_contrast(jacobians(network, genotypes), genotypes)

    jax.block_until_ready(read(network, genotypes))
    return cpu_seconds(lambda: jax.block_until_ready(read(network, genotypes)))[0]


def theirs(heritability: float, epochs: int) -> dict[str, Any] | None:
    """The published recipe, with the published use of the test set."""
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: only our side is timed (pip install torch)")
        return None
    torch.set_num_threads(1)
    torch.manual_seed(42)
    data = split(published(heritability))
    train, test = (
        [torch.tensor(np.asarray(a)) for a in pair]
        for pair in (
            (data.train.inputs, data.train_phenotypes),
            (data.test.inputs, data.test_phenotypes),
        )
    )
    layers = [
        torch.nn.Linear(a, b, bias=False) for a, b in ((64, WIDTH), (WIDTH, WIDTH), (WIDTH, 5))
    ]
    leaky = torch.nn.LeakyReLU(0.01)
    model = torch.nn.Sequential(layers[0], leaky, layers[1], leaky, layers[2])
    seconds, trained = cpu_seconds(lambda: train_torch(torch, model, train, test, epochs))
    with torch.no_grad():
        predicted, observed = model(test[0]).numpy(), test[1].numpy()
    correlation = [np.corrcoef(predicted[:, t], observed[:, t])[0, 1] for t in range(5)]
    few = 60
    loop, _ = cpu_seconds(lambda: sensitivities_torch(torch, model, test[0][:few]))
    return {
        "cpu_seconds": seconds,
        "epochs": trained,
        "test_correlation_squared": (np.array(correlation) ** 2).tolist(),
        "sensitivity_cpu_seconds": loop * len(test[0]) / few,
        "sensitivity_individuals_timed": few,
    }


def train_torch(torch: Any, model: Any, train: list[Any], test: list[Any], epochs: int) -> int:
    """AdamW, L1 loss, a plateau schedule and early stopping on the test set, as published."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=PLATEAU)
    best, waited, trained = float("inf"), 0, 0
    state = None
    while trained < epochs and waited < PATIENCE:
        for rows in torch.randperm(len(train[0])).split(BATCH):
            optimiser.zero_grad()
            torch.nn.functional.l1_loss(model(train[0][rows]), train[1][rows]).backward()
            optimiser.step()
        with torch.no_grad():
            loss = float(torch.nn.functional.l1_loss(model(test[0]), test[1]))
        schedule.step(loss)
        if loss < best - MIN_DELTA:
            best, waited = loss, 0
            state = {name: value.clone() for name, value in model.state_dict().items()}
        else:
            waited += 1
        trained += 1
    model.load_state_dict(state)
    return trained


def sensitivities_torch(torch: Any, model: Any, genotypes: Any) -> None:
    """One Jacobian for each individual and trait, in the published loop."""
    for row in genotypes:
        for trait in range(5):
            torch.autograd.functional.jacobian(
                lambda x, trait=trait: model(x)[:, trait], row[None], vectorize=True
            )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--heritability", type=float, default=1.0)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    result = {
        "machine_load_at_start": os.getloadavg()[0],
        "heritability": options.heritability,
        "max_epochs": options.epochs,
        "ours": ours(options.heritability, options.epochs),
        "torch": theirs(options.heritability, options.epochs),
    }
    write_result(options.output, result)
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
