"""What a method has inferred: read from the files that it wrote."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tskit

from benchmarks.accuracy.size_metrics import SizeEstimate
from benchmarks.accuracy.true_tmrca import pairwise_mrca, pairwise_tmrca


@dataclass(frozen=True)
class Inferred:
    """Posterior draws of pairwise TMRCA, and trees and N_e(t) where the method has them.

    `tmrca` is [draws, pairs, positions] in generations.
    """

    tmrca: np.ndarray
    tree_sequences: tuple[tskit.TreeSequence, ...] = ()
    population_size: SizeEstimate | None = None

    @property
    def num_draws(self) -> int:
        """Number of draws."""
        return len(self.tmrca)


def read_output(
    folder: Path, positions: np.ndarray, haplotypes: int, sequence_length: float
) -> Inferred:
    """Read the output folder of a method.

    It holds `draws/*.trees`, one for each posterior draw, in base pairs and generations, samples in
    the order of the input. A method with one topology may give draws of its node times [draws,
    nodes] as `node_times.npy`; a method without trees gives `tmrca.npy` [draws, pairs, positions].
    `demography.csv` is optional: columns time_generations, population_size and,
    if it has a band, lower_95, upper_95.

    Raises:
        ValueError: neither trees nor times, or times or trees that do not fit the data.
    """
    trees = tuple(
        spanning(_read_trees(path, haplotypes, sequence_length))
        for path in sorted((folder / "draws").glob("*.trees"))
    )
    tmrca = _read_tmrca(folder, trees, positions)
    expected = (haplotypes * (haplotypes - 1) // 2, len(positions))
    if tmrca.shape[1:] != expected or not np.isfinite(tmrca).all():
        raise ValueError(
            f"{folder}: TMRCA of shape {tmrca.shape}, {np.isnan(tmrca).mean():.1%} unknown; "
            f"give draws x {expected[0]} pairs x {expected[1]} positions, all known"
        )
    return Inferred(tmrca, trees, _read_demography(folder / "demography.csv"))


def spanning(tree_sequence: tskit.TreeSequence) -> tskit.TreeSequence:
    """Extend the first and the last tree to the ends of the genome, where a method left them out.

    Methods start at their first site; there is no better guess beyond it than the nearest tree.
    """
    tables, edges = tree_sequence.dump_tables(), tree_sequence.tables.edges
    first, last, end = edges.left.min(), edges.right.max(), tree_sequence.sequence_length
    if first == 0 and last == end:
        return tree_sequence
    tables.edges.set_columns(
        left=np.where(edges.left == first, 0.0, edges.left),
        right=np.where(edges.right == last, end, edges.right),
        parent=edges.parent,
        child=edges.child,
    )
    tables.sort()
    return tables.tree_sequence()


def _read_trees(path: Path, haplotypes: int, sequence_length: float) -> tskit.TreeSequence:
    tree_sequence = tskit.load(path)
    seen = (tree_sequence.num_samples, tree_sequence.sequence_length)
    if seen != (haplotypes, sequence_length):
        raise ValueError(
            f"{path}: {seen[0]} samples and {seen[1]:g} base pairs; the data have {haplotypes} "
            f"and {sequence_length:g}"
        )
    return tree_sequence


def _read_tmrca(
    folder: Path, trees: tuple[tskit.TreeSequence, ...], positions: np.ndarray
) -> np.ndarray:
    if (folder / "tmrca.npy").exists():
        return np.load(folder / "tmrca.npy")
    if not trees:
        raise ValueError(f"{folder}: neither draws/*.trees nor tmrca.npy; the method wrote nothing")
    if (folder / "node_times.npy").exists():
        ancestors = pairwise_mrca(trees[0], positions)
        times = np.load(folder / "node_times.npy")[:, ancestors]
        return np.where(ancestors >= 0, times, np.nan)
    return np.stack([pairwise_tmrca(tree_sequence, positions) for tree_sequence in trees])


def _read_demography(path: Path) -> SizeEstimate | None:
    if not path.exists():
        return None
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))

    def column(name: str) -> np.ndarray:
        return np.array([float(row[name]) for row in rows])

    band = (column("lower_95"), column("upper_95")) if "lower_95" in rows[0] else None
    return SizeEstimate(column("time_generations"), column("population_size"), band)
