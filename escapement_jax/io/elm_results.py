"""Files of a decomposition: effects, variance components, comparison of methods, summary."""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.elm.effects import Effects, EffectTable
from escapement_jax.elm.genotypes.study import Study
from escapement_jax.elm.method_table import MethodRow

ADDITIVE_COLUMNS = ("trait", "locus", "effect", "stderr")
ADDITIVE_EXTRA = ("unshrunken_effect", "lower_95", "upper_95", "reference_effect")
EPISTATIC_COLUMNS = ("trait", "locus_i", "locus_j", "effect", "stderr", "p_value", "q_value")
EPISTATIC_EXTRA = ("inclusion_probability", "unshrunken_effect", "lower_95", "upper_95")


def write_additive(path: Path, effects: Effects) -> None:
    """Write a line per trait and contrast; `kind` (A or D) is a last column for diploids.

    Args:
        path: CSV file to write.
        effects: the result.
    """
    table, dominance = effects.additive, "D" in effects.column_kind
    fields = [table.effect, table.stderr, table.unshrunken, table.lower_95, table.upper_95]
    values = np.stack([np.asarray(field) for field in (*fields, effects.reference_effect)], axis=-1)
    header = [*ADDITIVE_COLUMNS, *ADDITIVE_EXTRA, *(["kind"] if dominance else [])]
    names = _column_names(effects)
    rows = (
        [trait, names[column], *values[t, column].tolist()]
        + ([effects.column_kind[column]] if dominance else [])
        for t, trait in enumerate(effects.trait_names)
        for column in range(values.shape[1])
    )
    _write_rows(path, header, rows)


def write_epistatic(path: Path, effects: Effects) -> None:
    """Write a line per trait and pair; `kind` (AxA, AxD, DxA, DxD) is a last column for diploids.

    Args:
        path: CSV file to write.
        effects: the result.
    """
    table, dominance = effects.epistatic, "D" in effects.column_kind
    values = np.stack([np.asarray(field) for field in _pair_fields(table)], axis=-1)
    header = [*EPISTATIC_COLUMNS, *EPISTATIC_EXTRA, *(["kind"] if dominance else [])]
    names, kinds = _column_names(effects), effects.column_kind
    pairs = np.asarray(effects.pairs).tolist()
    rows = (
        [trait, names[first], names[second], *values[t, place].tolist()]
        + ([f"{kinds[first]}x{kinds[second]}"] if dominance else [])
        for t, trait in enumerate(effects.trait_names)
        for place, (first, second) in enumerate(pairs)
    )
    _write_rows(path, header, rows)


def write_variance_components(path: Path, effects: Effects) -> None:
    """Write a line per trait and component: variance, standard error, share of the phenotype's.

    Args:
        path: CSV file to write.
        effects: the result.
    """
    components = effects.variance
    variance, stderr = np.asarray(components.variance), np.asarray(components.stderr)
    share = variance / variance.sum(axis=1, keepdims=True)
    rows = (
        [trait, name, *(float(table[t, c]) for table in (variance, stderr, share))]
        for t, trait in enumerate(effects.trait_names)
        for c, name in enumerate(components.names)
    )
    _write_rows(path, ["trait", "component", "variance", "stderr", "share"], rows)


def write_anchors(path: Path, rows: Sequence[MethodRow], trait_names: Sequence[str]) -> None:
    """Write the comparison of methods, a line per method and trait; empty where unknown.

    Args:
        path: CSV file to write.
        rows: the methods.
        trait_names: names of the traits.
    """
    header = ["method", "trait", *MethodRow.COLUMNS, "cpu_seconds"]
    lines = (
        [row.name, trait, *(getattr(row, name)[t] for name in MethodRow.COLUMNS), row.cpu_seconds]
        for row in rows
        for t, trait in enumerate(trait_names)
    )
    _write_rows(path, header, lines)


def write_truth(folder: Path, study: Study) -> None:
    """Write the true effects in the formats of a decomposition: additive.csv and epistatic.csv.

    Interactions of more than two loci go to interactions.csv instead.

    Args:
        folder: where to write.
        study: a simulated study with a truth.
    """
    truth = study.truth
    if truth is None:
        return
    loci = study.locus_names
    columns = [(name, "A") for name in loci] + [(name, "D") for name in loci]
    dominance = truth.additive.shape[1] > len(loci)
    additive = (
        [trait, name, float(effect), 0.0] + ([kind] if dominance else [])
        for trait, effects in zip(study.trait_names, truth.additive, strict=True)
        for effect, (name, kind) in zip(effects, columns, strict=False)
    )
    _write_rows(
        folder / "additive.csv", [*ADDITIVE_COLUMNS, *(["kind"] if dominance else [])], additive
    )
    order = truth.interaction_columns.shape[1]
    entries = zip(
        truth.interaction_trait.tolist(),
        np.sort(truth.interaction_columns, axis=1).tolist(),
        truth.interaction_effect.tolist(),
        strict=True,
    )
    lines = (
        [study.trait_names[trait], *(loci[locus] for locus in places), effect, 0.0]
        for trait, places, effect in entries
    )
    if order == 2:
        _write_rows(folder / "epistatic.csv", EPISTATIC_COLUMNS[:5], lines)
    else:
        header = ["trait", *(f"locus_{place}" for place in range(1, order + 1)), "effect", "stderr"]
        _write_rows(folder / "interactions.csv", header, lines)


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write a summary as JSON; what is not a finite number becomes null.

    Args:
        path: JSON file to write.
        summary: nested dictionaries, lists, numbers and text.
    """
    path.write_text(json.dumps(_plain(summary), indent=2) + "\n", encoding="utf-8")


def _pair_fields(table: EffectTable) -> list[Any]:
    return [
        table.effect,
        table.stderr,
        table.p_value,
        table.q_value,
        table.inclusion_probability,
        table.unshrunken,
        table.lower_95,
        table.upper_95,
    ]


def _column_names(effects: Effects) -> list[str]:
    return [effects.locus_names[locus] for locus in np.asarray(effects.column_locus).tolist()]


def _write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
