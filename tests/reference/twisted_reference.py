"""The twisted chain of one haplotype spelled out: every path of breaks and states, one by one."""

import itertools

import numpy as np

from tests.reference.copying_reference import Mosaic

Path = tuple[
    tuple[int, int], ...
]  # (break, state) of every bin; a state is parent * levels + level


def all_paths(
    mosaic: Mosaic, states: np.ndarray, breaks: np.ndarray
) -> dict[Path, tuple[float, float]]:
    """`log p(D, path)` and `log q(path)` of every path with `p > 0`.

    `states` [bins, parents, levels] and `breaks` [bins] are the potentials.
    """
    potential = states.reshape(mosaic.num_bins, -1)
    emission = mosaic.emissions()
    allowed = np.flatnonzero(mosaic.initial() > 0)
    moves = [(0, None), *((1, int(state)) for state in allowed)]
    paths = {}
    for first in allowed:
        for rest in itertools.product(moves, repeat=mosaic.num_bins - 1):
            paths[_path(int(first), rest)] = (0.0, 0.0)
    return {path: _log_probabilities(mosaic, potential, breaks, emission, path) for path in paths}


def _path(first: int, rest: tuple) -> Path:
    path = [(0, first)]
    for broken, state in rest:
        path.append((broken, path[-1][1] if state is None else state))
    return tuple(path)


def _log_probabilities(
    mosaic: Mosaic, potential: np.ndarray, breaks: np.ndarray, emission: np.ndarray, path: Path
) -> tuple[float, float]:
    law = mosaic.initial()
    twisted = law * np.exp(potential[0])
    state = path[0][1]
    log_p = np.log(law[state] * emission[0, state])
    log_q = np.log(twisted[state] / twisted.sum())
    num_levels = len(mosaic.entry)
    for index in range(1, mosaic.num_bins):
        ends = mosaic.recombination[index, state % num_levels]
        landing = np.outer(mosaic.parent_prior, mosaic.reattachment[state % num_levels]).ravel()
        weights = np.exp(potential[index])
        break_weights = ends * landing * weights * np.exp(breaks[index])
        stay_weight = (1 - ends) * weights[state]
        total = stay_weight + break_weights.sum()
        broken, after = path[index]
        log_p += np.log(ends * landing[after] if broken else 1 - ends)
        log_p += np.log(emission[index, after])
        log_q += np.log((break_weights[after] if broken else stay_weight) / total)
        state = after
    return float(log_p), float(log_q)
