"""The table that stands beside every result: what each method predicts, finds and gets right."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float

from escapement_jax.elm.anchors.comparison import FALSE_DISCOVERY_RATE, Anchor
from escapement_jax.elm.effects import Effects
from escapement_jax.elm.genotypes.study import Truth

UNKNOWN = float("nan")


@dataclass(frozen=True)
class MethodRow:
    """One method: a number for each trait in every column, NaN where unknown.

    Attributes:
        name: of the method.
        test_r2: R2 of the prediction of the test individuals.
        additive_slope: least-squares slope of estimated on true additive effects.
        additive_r2: R2 of estimated against true additive effects, about the 1:1 line.
        slope: of estimated on true pair effects.
        r2: of estimated against true pair effects, about the 1:1 line.
        correlation2: their squared correlation.
        found: number of pairs (or triples) called.
        true: how many of those are true.
        cpu_seconds: CPU time, compilation included.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "test_r2",
        "additive_slope",
        "additive_r2",
        "slope",
        "r2",
        "correlation2",
        "found",
        "true",
    )

    name: str
    test_r2: tuple[float, ...]
    additive_slope: tuple[float, ...]
    additive_r2: tuple[float, ...]
    slope: tuple[float, ...]
    r2: tuple[float, ...]
    correlation2: tuple[float, ...]
    found: tuple[float, ...]
    true: tuple[float, ...]
    cpu_seconds: float


def compare_methods(
    effects: Effects, truth: Truth | None, *, name: str, cpu_seconds: float
) -> tuple[MethodRow, ...]:
    """Put a decomposition and its anchors in one table.

    Args:
        effects: the decomposition, with its anchors.
        truth: the effects behind simulated phenotypes.
        name: what to call the decomposition.
        cpu_seconds: CPU time of the decomposition without its anchors.
    """
    pairs = np.asarray(effects.pairs)
    true_pairs = None if truth is None else truth.pair_effects(pairs)
    q_values = np.asarray(effects.epistatic.q_value)
    found = None if np.isnan(q_values).all() else q_values <= FALSE_DISCOVERY_RATE
    first = _row(
        name,
        np.asarray(effects.test_r2),
        np.asarray(effects.additive.effect),
        np.asarray(effects.epistatic.effect),
        found,
        truth,
        true_pairs,
        cpu_seconds,
    )
    return (first, *(anchor_row(anchor, truth, true_pairs) for anchor in effects.anchors))


def agreement(
    estimate: Float[np.ndarray, " effects"], truth: Float[np.ndarray, " effects"]
) -> tuple[float, float, float]:
    """Return slope, R2 about the 1:1 line, and squared correlation of estimates with the truth.

    Args:
        estimate: estimated effects.
        truth: true effects; all alike gives NaN three times.
    """
    spread = truth - truth.mean()
    total = float(spread @ spread)
    if total == 0:
        return UNKNOWN, UNKNOWN, UNKNOWN
    slope = float(spread @ (estimate - estimate.mean())) / total
    r2 = 1 - float(np.sum((estimate - truth) ** 2)) / total
    varied = float(np.sum((estimate - estimate.mean()) ** 2))
    return slope, r2, slope**2 * total / varied if varied > 0 else 0.0


def anchor_row(
    anchor: Anchor, truth: Truth | None, true_pairs: Float[np.ndarray, "traits pairs"] | None
) -> MethodRow:
    """Return the row of one classical method.

    Args:
        anchor: its result.
        truth: the effects behind simulated phenotypes.
        true_pairs: the true effects of the pairs that the anchor speaks of.
    """
    found = None if anchor.discoveries is None else np.asarray(anchor.discoveries)
    if anchor.triples is not None and truth is not None:
        true_pairs = _true_triples(np.asarray(anchor.triples.triples), truth)
    return _row(
        anchor.name,
        np.asarray(anchor.test_r2),
        None if anchor.additive is None else np.asarray(anchor.additive),
        None if anchor.epistatic is None else np.asarray(anchor.epistatic),
        found,
        truth,
        true_pairs,
        anchor.cpu_seconds,
    )


def _row(
    name: str,
    test_r2: Float[np.ndarray, " traits"],
    additive: Float[np.ndarray, "traits columns"] | None,
    epistatic: Float[np.ndarray, "traits pairs"] | None,
    found: Bool[np.ndarray, "traits tests"] | None,
    truth: Truth | None,
    true_pairs: Float[np.ndarray, "traits tests"] | None,
    cpu_seconds: float,
) -> MethodRow:
    traits = range(test_r2.size)
    nothing = (UNKNOWN,) * 3
    of_additive = [
        nothing if truth is None or additive is None else agreement(additive[t], truth.additive[t])
        for t in traits
    ]
    of_pairs = [
        nothing
        if true_pairs is None or epistatic is None
        else agreement(epistatic[t], true_pairs[t])
        for t in traits
    ]
    unknown = (UNKNOWN,) * test_r2.size
    hits = None if found is None or true_pairs is None else found & (true_pairs != 0)
    return MethodRow(
        name=name,
        test_r2=tuple(test_r2.tolist()),
        additive_slope=tuple(row[0] for row in of_additive),
        additive_r2=tuple(row[1] for row in of_additive),
        slope=tuple(row[0] for row in of_pairs),
        r2=tuple(row[1] for row in of_pairs),
        correlation2=tuple(row[2] for row in of_pairs),
        found=unknown if found is None else tuple(found.sum(axis=1).astype(float).tolist()),
        true=unknown if hits is None else tuple(hits.sum(axis=1).astype(float).tolist()),
        cpu_seconds=cpu_seconds,
    )


def _true_triples(triples: np.ndarray, truth: Truth) -> Float[np.ndarray, "traits triples"]:
    effects = np.zeros((truth.additive.shape[0], len(triples)))
    if truth.interaction_columns.shape[1] != 3:
        return effects
    place = {triple: number for number, triple in enumerate(map(tuple, triples.tolist()))}
    for trait, columns, effect in zip(
        truth.interaction_trait.tolist(),
        np.sort(truth.interaction_columns, axis=1).tolist(),
        truth.interaction_effect.tolist(),
        strict=True,
    ):
        effects[trait, place[tuple(columns)]] = effect
    return effects


def method_table(rows: tuple[MethodRow, ...], trait_names: tuple[str, ...]) -> str:
    """Lay the comparison out as text: a block for each quantity, methods by traits.

    Args:
        rows: the methods.
        trait_names: headings.
    """
    shown = trait_names[:8]
    heads = "".join(f"{name[:9]:>10}" for name in shown)
    blocks = []
    for column, title in (
        ("test_r2", "test R2"),
        ("slope", "pair slope (against the truth)"),
        ("r2", "pair R2 (against the truth)"),
        ("found", "pairs found (true)"),
    ):
        lines = [
            f"  {row.name:<22}{_cells(row, column, len(shown))}{row.cpu_seconds:>9.2f}"
            for row in rows
            if not np.isnan(getattr(row, column)).all()
        ]
        if lines:
            blocks.append(f"{title:<24}{heads}    CPU s\n" + "\n".join(lines))
    return "\n".join(blocks)


def _cells(row: MethodRow, column: str, number: int) -> str:
    values = getattr(row, column)[:number]
    if column != "found":
        return "".join(f"{'-' if np.isnan(v) else format(v, '.3f'):>10}" for v in values)
    true = row.true[:number]
    pairs = zip(values, true, strict=True)
    return "".join(f"{f'{f:.0f}' + ('' if np.isnan(t) else f' ({t:.0f})'):>10}" for f, t in pairs)
