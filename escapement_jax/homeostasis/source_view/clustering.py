"""Clusters of embeddings: DBSCAN, agreement with known types, silhouette."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

RADIUS = 0.1
FEWEST_NEIGHBOURS = 5
NOISE = -1


def density_clusters(
    points: Float[np.ndarray, "points dimensions"],
    *,
    radius: float = RADIUS,
    fewest_neighbours: int = FEWEST_NEIGHBOURS,
) -> Int[np.ndarray, " points"]:
    """Find clusters by density (DBSCAN): chains of points with many neighbours, and their fringe.

    Args:
        points: Embeddings.
        radius: How near neighbours are.
        fewest_neighbours: Neighbours, itself included, that put a point at the core of a cluster.

    Returns:
        The cluster of every point, counted from 0 in the order of their first core points, or -1.

    Source: M. Ester et al., KDD (1996).
    """
    near = _distances(points) <= radius
    core = near.sum(axis=1) >= fewest_neighbours
    labels = np.full(len(points), NOISE)
    cluster = 0
    for start in np.flatnonzero(core).tolist():
        if labels[start] == NOISE:
            _fill(labels, near, core, start, cluster)
            cluster += 1
    return labels


def _fill(
    labels: Int[np.ndarray, " points"],
    near: Bool[np.ndarray, "points points"],
    core: Bool[np.ndarray, " points"],
    start: int,
    cluster: int,
) -> None:
    pending = [start]
    labels[start] = cluster
    while pending:
        reached = near[pending.pop()] & (labels == NOISE)
        labels[reached] = cluster
        pending += np.flatnonzero(reached & core).tolist()


def noise_as_cluster(labels: Int[np.ndarray, " points"]) -> Int[np.ndarray, " points"]:
    """Count the points of no cluster as one more cluster, as the published accuracy does.

    Args:
        labels: Clusters, -1 for none.
    """
    return np.where(labels == NOISE, labels.max(initial=NOISE) + 1, labels)


def matched_accuracy(
    labels: Int[np.ndarray, " points"], types: Int[np.ndarray, " points"]
) -> float:
    """Return the share of points in the right cluster under the best one-to-one matching.

    Args:
        labels: Clusters, counted from 0.
        types: True types, counted from 0.

    Source: H. W. Kuhn, Naval Research Logistics Quarterly 2, 83 (1955).
    """
    counts = np.zeros((types.max() + 1, labels.max() + 1))
    np.add.at(counts, (types, labels), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / len(types))


def silhouette(points: Float[np.ndarray, "points dimensions"], labels: np.ndarray) -> float:
    """Return the mean of ``(b - a) / max(a, b)``: distances within and to the nearest cluster.

    A point alone in its cluster counts 0. NaN where there is only one cluster.

    Args:
        points: Embeddings.
        labels: Clusters.

    Source: P. J. Rousseeuw, J. Comput. Appl. Math. 20, 53 (1987).
    """
    clusters = np.unique(labels)
    if len(clusters) < 2:
        return float("nan")
    distances = _distances(points)
    members = labels[:, None] == clusters
    sizes = members.sum(axis=0)
    totals = distances @ members
    own = totals[members] / np.maximum(sizes[members.argmax(axis=1)] - 1, 1)
    other = np.where(members, np.inf, totals / sizes).min(axis=1)
    largest = np.maximum(own, other)
    values = np.where(largest > 0, (other - own) / np.where(largest > 0, largest, 1.0), 0.0)
    values[sizes[members.argmax(axis=1)] == 1] = 0.0
    return float(values.mean())


def _distances(points: Float[np.ndarray, "points dimensions"]) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None, :], axis=-1)
