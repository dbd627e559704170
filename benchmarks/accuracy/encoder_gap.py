"""Gap between the evidence of the copying model and the bound of the encoder's twisted chain.

Eight haplotypes, 100 kb, known population size; 500 bp bins, 16 levels; nats, summed over
haplotypes. What is compared:

- no look-ahead (the filter), and coarse copying models that merge bins;
- the encoder on top of the emission alone: from scratch, distilled from the exact look-ahead,
  pretrained on simulated genomes of other seeds ("mainspring"), or started from given topologies;
- the encoder on top of the coarse look-ahead.

The exact look-ahead has gap 0 by construction. Steps are those until the gap is 5 nats or less.

    python benchmarks/accuracy/encoder_gap.py --output benchmarks/results/encoder_gap.json
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import msprime
import numpy as np

from benchmarks.record import write_result
from escapement_jax.config.training import PretrainConfig, TrainConfig
from escapement_jax.experiments.pretrain import pretrain
from escapement_jax.genealogy.copying.copying_model import log_evidence
from escapement_jax.genealogy.encoder.potentials import Potentials
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.variational.objective import analytic_potentials
from escapement_jax.genealogy.variational.prepare import (
    new_network,
    training_genome,
    warm_network,
)
from escapement_jax.genealogy.variational.train import train_posterior
from escapement_jax.genealogy.variational.twisted_chain import twisted_bound

SIZE, MUTATION, RECOMBINATION, LENGTH = 1e4, 1.25e-8, 1e-8, 100_000
NEAR = 5.0
GROUPS = (1, 2, 4, 8, 16)
FAMILIES = ("from_scratch", "distilled", "on_look_ahead_4", "from_true_trees", "mainspring")


def data(seed):
    """The genomes of the first study of this model, which left a gap of 81 nats."""
    trees = msprime.sim_ancestry(
        4,
        sequence_length=LENGTH,
        recombination_rate=RECOMBINATION,
        population_size=SIZE,
        random_seed=seed,
    )
    mutated = msprime.sim_mutations(
        trees, rate=MUTATION, random_seed=seed + 1000, model=msprime.BinaryMutationModel()
    )
    alleles = mutated.genotype_matrix()
    varies = (alleles.max(axis=1) == 1) & (alleles.min(axis=1) == 0)
    positions = mutated.tables.sites.position[varies].astype(int)
    return trees, Genotypes.from_arrays(alleles[varies], positions, start=0, end=LENGTH)


def settings(steps, **options):
    return TrainConfig(
        mutation_rate=MUTATION,
        recombination_rate=RECOMBINATION,
        population_size=SIZE,
        demography="constant",
        learning_rate_encoder=2e-3,
        learning_rate_sizes=1e-12,  # the size is known
        steps=steps,
        warm_steps=steps,
        stop_early=False,
        **options,
    )


def without_network(genome, evidence):
    gaps = {}
    model = genome.data.model(PiecewiseConstant.constant(SIZE), genome.grid)
    for group in (0, *GROUPS):
        states = analytic_potentials(model, genome.data.counts, group)
        none = jnp.zeros(states.shape[:2])
        bound = jax.jit(twisted_bound)(model, genome.data.counts, Potentials(states, none))
        name = f"look_ahead_{group}" if group else "no_look_ahead"
        gaps[name] = {"gap": evidence - float(bound.elbo.sum())}
    return gaps


def trained(genotypes, trees, config, evidence, network=None):
    key = jax.random.key(config.seed)
    start = time.process_time()
    genome = training_genome(genotypes, config, SIZE)
    if network is None:
        network = new_network(config, key=key)
        network = warm_network(network, genotypes, genome, config, SIZE, trees=trees, key=key)
    warm = time.process_time() - start
    start = time.process_time()
    posterior = train_posterior(genome, config, SIZE, network=network, key=key)
    gaps = evidence - posterior.history["bound"]
    near = np.flatnonzero(gaps <= NEAR)
    return {
        "gap_at_start": float(gaps[0]),
        "gap_after_100_steps": float(gaps[min(100, len(gaps) - 1)]),
        "gap": evidence - float(posterior.bound().elbo.sum()),
        "steps_until_5_nats": int(near[0]) if near.size else None,
        "steps": len(gaps),
        "cpu_seconds": time.process_time() - start,
        "cpu_seconds_warm_start": warm,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--genomes", type=int, default=16)
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=FAMILIES)
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    steps = arguments.steps
    trees, genotypes = data(arguments.seed)
    scratch = settings(steps, look_ahead=0)
    genome = training_genome(genotypes, scratch, SIZE)
    model = genome.data.model(PiecewiseConstant.constant(SIZE), genome.grid)
    evidence = float(log_evidence(model, genome.data.counts).sum())
    rows = without_network(genome, evidence)
    if arguments.output.exists():  # families trained before are kept
        rows = json.loads(arguments.output.read_text())["families"] | rows
    started = {
        "from_scratch": scratch,
        "distilled": dataclasses.replace(scratch, warm_start="distil"),
        "on_look_ahead_4": settings(steps, look_ahead=4),
        "from_true_trees": dataclasses.replace(scratch, warm_start="trees"),
        "mainspring": scratch,
    }
    for family in arguments.families:
        network, seconds = None, 0.0
        if family == "mainspring":
            network, seconds = mainspring(steps, arguments.genomes)
        row = trained(genotypes, trees, started[family], evidence, network=network)
        row["cpu_seconds_warm_start"] += seconds
        rows[f"encoder_{family}"] = row
        print(family, row, flush=True)
        result = {"evidence": evidence, "sites": genotypes.num_sites, "seed": arguments.seed}
        write_result(arguments.output, result | {"families": rows})


def mainspring(steps, genomes):
    start = time.process_time()
    config = PretrainConfig(
        haplotypes=8,
        genomes=genomes,
        population_spread=0.0,
        look_ahead=0,
        steps=steps,
        learning_rate=2e-3,
        seed=100,
    )
    return pretrain(config).network, time.process_time() - start


if __name__ == "__main__":
    main()
