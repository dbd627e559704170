"""A posterior draw as a tskit tree sequence with recombination nodes."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Literal

import numpy as np
import tskit

from escapement_jax.genealogy.dating.history_graph import graph_of_history
from escapement_jax.genealogy.dating.tree_history import TreeHistory
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.level_times import check_time_grid
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.graph.graph_nodes import GraphNodes, build_graph_nodes
from escapement_jax.genealogy.tree_sequences.mutation_placement import add_mutations

NodeTimes = Literal["uniform", "level", "redated"]


def to_tree_sequence(
    draw: GraphDraw,
    bin_edges: np.ndarray,
    grid_edges: np.ndarray,
    grid_times: np.ndarray,
    genotypes: Genotypes,
    *,
    node_times: Literal["uniform", "level"] = "uniform",
    seed: int,
    provenance: Mapping[str, object] | None = None,
) -> tskit.TreeSequence:
    """Convert a draw to a tree sequence.

    Samples are the haplotypes in input order, grouped into named individuals. Coordinates are
    absolute base pairs: the flank before the region is empty. A recombination is a pair of nodes
    flagged ``1 << 17``, as in msprime, left and right of the breakpoint. Coalescent nodes stay,
    with one child, while their lineage persists; silent recombinations leave no trace, and their
    number is in the top-level metadata.

    Args:
        draw: The draw.
        bin_edges: Edges of the genome bins, base pairs, from the region's start to its end.
        grid_edges: Lower edges of the time levels, generations.
        grid_times: Representative times of the levels, generations.
        genotypes: The haplotypes that the draw explains.
        node_times: "uniform" draws node times inside their levels, "level" uses the
            representative times.
        seed: Seed of node and mutation times.
        provenance: Parameters to record besides these; must be JSON.

    Returns:
        The tree sequence, in generations.

    Raises:
        ValueError: If draw, bins, time grid and genotypes do not fit together.
    """
    _check(draw, bin_edges, grid_edges, grid_times, genotypes)
    generator = np.random.default_rng(seed)
    nodes = build_graph_nodes(
        draw,
        bin_edges,
        grid_edges,
        grid_times,
        uniform_times=node_times == "uniform",
        generator=generator,
    )
    return _finish(nodes, genotypes, node_times, seed, provenance, generator)


def history_to_tree_sequence(
    history: TreeHistory,
    bin_edges: np.ndarray,
    genotypes: Genotypes,
    *,
    seed: int,
    provenance: Mapping[str, object] | None = None,
) -> tskit.TreeSequence:
    """Convert a redated draw to a tree sequence, as ``to_tree_sequence`` does.

    All coalescences are of two lineages, and no two events share a time: the graph is a full one,
    as ``msprime.log_arg_likelihood`` asks for.

    Args:
        history: Binary local trees in continuous time.
        bin_edges: Edges of the genome bins, base pairs, from the region's start to its end.
        genotypes: The haplotypes that the draw explains.
        seed: Seed of mutation times.
        provenance: Parameters to record besides these; must be JSON.
    """
    nodes, generator = graph_of_history(history, bin_edges), np.random.default_rng(seed)
    return _finish(nodes, genotypes, "redated", seed, provenance, generator)


def _finish(
    nodes: GraphNodes,
    genotypes: Genotypes,
    node_times: NodeTimes,
    seed: int,
    provenance: Mapping[str, object] | None,
    generator: np.random.Generator,
) -> tskit.TreeSequence:
    tables = _tables(nodes, genotypes)
    parameters = {
        "command": "infer",
        **(provenance or {}),
        "node_times": node_times,
        "export_seed": seed,
    }
    tables.provenances.add_row(json.dumps(_provenance_record(parameters)))
    return add_mutations(tables.tree_sequence(), genotypes, generator)


def _check(
    draw: GraphDraw,
    bin_edges: np.ndarray,
    grid_edges: np.ndarray,
    grid_times: np.ndarray,
    genotypes: Genotypes,
) -> None:
    if draw.num_haplotypes != genotypes.num_haplotypes:
        raise ValueError(
            f"the draw has {draw.num_haplotypes} haplotypes and the genotypes "
            f"{genotypes.num_haplotypes}; give those that the draw was made from"
        )
    if (bin_edges[0], bin_edges[-1]) != (genotypes.start, genotypes.end):
        raise ValueError(
            f"the bins cover [{bin_edges[0]}, {bin_edges[-1]}) and the genotypes "
            f"[{genotypes.start}, {genotypes.end}); they must cover the same region"
        )
    check_time_grid(grid_edges, grid_times)
    draw.validate(len(grid_times), len(bin_edges) - 1)


def _tables(nodes: GraphNodes, genotypes: Genotypes) -> tskit.TableCollection:
    tables = tskit.TableCollection(sequence_length=float(genotypes.end))
    tables.time_units = "generations"
    tables.metadata_schema = tskit.MetadataSchema.permissive_json()
    tables.metadata = {"silent_records": nodes.num_silent}
    tables.populations.metadata_schema = tskit.MetadataSchema.permissive_json()
    tables.populations.add_row(metadata={"name": "samples", "description": ""})
    tables.individuals.metadata_schema = tskit.MetadataSchema.permissive_json()
    for name in genotypes.sample_names:
        tables.individuals.add_row(metadata={"name": name})
    num_samples = genotypes.num_haplotypes
    flags = np.array(nodes.flags, np.uint32)
    flags[:num_samples] |= tskit.NODE_IS_SAMPLE
    individuals = np.full(len(flags), tskit.NULL, np.int32)
    individuals[:num_samples] = np.arange(num_samples) // genotypes.ploidy
    tables.nodes.set_columns(
        flags=flags,
        time=np.array(nodes.times),
        population=np.zeros(len(flags), np.int32),
        individual=individuals,
    )
    left, right, parent, child = zip(*nodes.edges, strict=True)
    tables.edges.set_columns(
        left=np.array(left),
        right=np.array(right),
        parent=np.array(parent, np.int32),
        child=np.array(child, np.int32),
    )
    tables.edges.squash()
    tables.sort()
    return tables


def _provenance_record(parameters: Mapping[str, object]) -> dict[str, object]:
    return {
        "schema_version": "1.0.0",
        "software": {"name": "escapement-jax", "version": version("escapement-jax")},
        "parameters": dict(parameters),
        "environment": _environment(),
    }


@cache
def _environment() -> dict[str, object]:
    return tskit.provenance.get_environment(
        extra_libs={name: {"version": version(name)} for name in ("jax", "numpy")}
    )
