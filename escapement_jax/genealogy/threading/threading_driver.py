"""Host-side driver of threading: all windows and draws at once, chunk after chunk.

Windows and draws are the batch axes. All shapes are fixed by their numbers, the haplotypes, levels,
bins per chunk and record capacity, so each of the functions below compiles once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.graph_density import refresh_cut_levels
from escapement_jax.genealogy.graph.pruned_graph import PrunedGraph, no_interruptions, regraft
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.genealogy.threading.backward_sampling import sample_chunk, sample_last_position
from escapement_jax.genealogy.threading.forward_filtering import (
    FilteredChunk,
    entering_message,
    filter_chunk,
)
from escapement_jax.genealogy.threading.look_ahead import LookAhead
from escapement_jax.genealogy.threading.window_layout import WindowLayout
from escapement_jax.training.devices import batched, num_devices, over_devices
from escapement_jax.training.memory import groups_within, limited, measured_bytes

_Pruned = Sequence[PrunedGraph]
_Chunk = TypeVar("_Chunk", GenomeChunk, LookAhead | None)


# The messages keep the bins as their first axis, as the scans make and read them: with the draws in
# front they would be copied once each way, and they are most of the memory.
def _filter_part(pruned, chunks, messages, model, look_ahead):
    num_records = pruned.has_record.sum(-1).max()
    num_sites = chunks.num_sites.max()

    def one(pruned, chunk, message, look_ahead):
        given = (num_records, num_sites)
        potential = look_ahead and look_ahead.potential(pruned, chunk, model, num_sites)
        filtered, last, log_evidence = filter_chunk(
            pruned, chunk, message, model, *given, potential
        )
        bulk = (filtered.messages, filtered.masses)
        return bulk, (filtered.own, filtered.trunk), potential, last, log_evidence

    out_axes = ((1, 1), 0, 0, 0, 0)
    over_draws = jax.vmap(one, in_axes=(0, None, 0, None), out_axes=out_axes)
    return jax.vmap(over_draws, out_axes=out_axes)(pruned, chunks, messages, look_ahead)


_filter = jax.jit(over_devices(_filter_part, (1, None, 1, None, None), ((2, 2), 1, 1, 1, 1)))


@partial(jax.jit, static_argnames="refresh")
def _extend(keys, bulk, tables, potential, pruned, chunks, last, model, refresh):
    part = partial(_extend_part, refresh=refresh)
    spread = over_devices(part, (1, 2, 1, 1, 1, None, 1, None), (1, 1, 1, 1))
    return spread(keys, bulk, tables, potential, pruned, chunks, last, model)


def _extend_part(keys, bulk, tables, potential, pruned, chunks, last, model, refresh):
    def grow(key, bulk, tables, potential, pruned, chunk, last):
        key_path, key_cuts = jax.random.split(key)
        path = sample_chunk(key_path, FilteredChunk(*bulk, *tables), pruned, chunk, last)
        grown, overflow = regraft(pruned, path)
        entering = (path.entering_branch, path.entering_level)
        tilt = potential and potential.of_path(path.branch, path.level)
        return key_cuts, grown, entering, overflow, tilt

    over_draws = jax.vmap(grow, in_axes=(0, (1, 1), 0, 0, 0, None, 0))
    over_windows = jax.vmap(over_draws, in_axes=(0, (1, 1), 0, 0, 0, 0, 0))
    key_cuts, grown, entering, overflow, tilt = over_windows(
        keys, bulk, tables, potential, pruned, chunks, last
    )
    if refresh:
        num_records = grown.has_record.sum(-1).max()
        anew = partial(refresh_cut_levels, model=model, num_records=num_records)
        grown = jax.vmap(jax.vmap(anew))(key_cuts, grown)
    return grown, entering, overflow, tilt


@jax.jit
def _start(pruned, model):
    over_draws = jax.vmap(entering_message, in_axes=(0, None))
    return jax.vmap(over_draws, in_axes=(0, None))(pruned, model)


def _followed(openings):
    """Windows that another follows, and where the lineage is held at their ends."""
    at = openings.interruptions
    return at.here[1:, :, 0], (at.left_branch[1:, :, 0], at.left_level[1:, :, 0])


@jax.jit
def _last_positions(keys, messages, pruned, openings):
    """Positions in the last bins: held where another window follows, else drawn."""
    drawn = jax.vmap(jax.vmap(sample_last_position))(keys, messages, pruned)
    follows, held = _followed(openings)

    def hold(position, held):
        return position.at[:-1].set(jnp.where(follows, held, position[:-1]))

    return jax.tree.map(hold, drawn, held)


@jax.jit
def _log_held(messages, openings):
    """Log probability of the positions that are held, given all to their left in the window."""
    follows, (branch, level) = _followed(openings)
    at = jax.vmap(jax.vmap(lambda message, branch, level: message[branch, level]))
    held = at(messages[:-1], branch, level)
    return jnp.where(follows, jnp.log(jnp.where(follows, held, 1.0)), 0.0).sum(0)


@dataclass(frozen=True)
class _Windows:
    """What is to be threaded, one batch of windows x draws per place in a window."""

    pruned: list[PrunedGraph]
    chunks: list[GenomeChunk]
    look_ahead: list[LookAhead | None]

    @classmethod
    def of(
        cls,
        pruned: _Pruned,
        chunks: Sequence[GenomeChunk],
        layout: WindowLayout,
        look_ahead: Sequence[LookAhead] | None = None,
    ) -> "_Windows":
        void = _void(chunks[0])
        ahead: Sequence[LookAhead | None] = look_ahead or [None] * len(chunks)
        blind = _void(ahead[0])
        return cls(
            layout.columns(pruned, _still(pruned[0], 0), _still(pruned[-1], -1)),
            layout.columns(chunks, void, void),
            layout.columns(ahead, blind, blind),
        )

    def filter(self, model: ThreadingModel):
        """Messages and tables of every place, the last message, and the log evidence of draws."""
        message = _start(self.pruned[0], model)
        filtered, evidence = [], []
        for pruned, chunk, ahead in zip(self.pruned, self.chunks, self.look_ahead, strict=True):
            *kept, message, log_evidence = _filter(pruned, chunk, message, model, ahead)
            filtered.append(kept)
            evidence.append(log_evidence)
        held = np.asarray(_log_held(message, self.pruned[0]), dtype=np.float64)
        total = np.sum(np.asarray(jax.device_get(evidence), dtype=np.float64), (0, 1)) + held
        return filtered, message, total


def thread_evidence(
    pruned: _Pruned,
    chunks: Sequence[GenomeChunk],
    model: ThreadingModel,
    layout: WindowLayout,
    look_ahead: Sequence[LookAhead] | None = None,
) -> Float[np.ndarray, " draws"]:
    """Log evidence of what is inside the windows, given where lineages are held at their edges.

    Args:
        pruned: one batch of pruned graphs per chunk, of the same capacity.
        chunks: the genome.
        model: the law.
        layout: the windows; at the edges between two of them lineages are held, or both are free.
        look_ahead: potentials of every chunk; None for none.
    """
    return _Windows.of(pruned, chunks, layout, look_ahead).filter(model)[2]


def thread_pruned(
    key: PRNGKey,
    pruned: _Pruned,
    chunks: Sequence[GenomeChunk],
    model: ThreadingModel,
    layout: WindowLayout,
    *,
    refresh: bool = True,
    look_ahead: Sequence[LookAhead] | None = None,
) -> tuple[
    list[RecombinationGraph] | None, Float[np.ndarray, " draws"], Float[np.ndarray, " draws"]
]:
    """Draw the paths of pruned lineages through all windows, from `p(path) e^u(path) / Z(u)`.

    Args:
        key: random key.
        pruned: one batch of pruned graphs per chunk, of the same capacity.
        chunks: the genome.
        model: the law.
        layout: the windows; at the edges between two of them lineages are held, or both are free.
        refresh: whether to draw the cut levels of the grown graphs anew, those of the other
            lineages' records included.
        look_ahead: potentials of every chunk; None for none.

    Returns:
        The grown graphs, None if the capacity of a chunk is too small for its records; the log
        evidence `log Z(u)` of every draw, as of `thread_evidence`; and `u(path)`.

    Raises:
        ValueError: an evidence is not finite.
    """
    thread = partial(_thread_draws, key, refresh=refresh, look_ahead=look_ahead)
    groups = _groups(pruned, chunks, model, layout, look_ahead)
    if len(groups) == 1:
        return thread(pruned, chunks, model, layout)
    parts = [thread(pruned, chunks, model, layout, draws=draws) for draws in groups]
    log_evidence = np.concatenate([evidence for _, evidence, _ in parts])
    tilt = np.concatenate([tilt for *_, tilt in parts])
    grown = [graphs for graphs, *_ in parts if graphs is not None]
    if len(grown) < len(parts):
        return None, log_evidence, tilt
    join = partial(jax.tree.map, lambda *leaves: jnp.concatenate(leaves))
    return [join(*chunk) for chunk in zip(*grown, strict=True)], log_evidence, tilt


def _groups(
    pruned: _Pruned,
    chunks: Sequence[GenomeChunk],
    model: ThreadingModel,
    layout: WindowLayout,
    look_ahead: Sequence[LookAhead] | None,
) -> list[slice]:
    """Draws that are threaded at once: all, unless the messages of a genome exceed a limit."""
    draws = pruned[0].haplotype.shape[0]
    if not limited():
        return [slice(draws)]
    windows = _Windows.of(pruned, chunks, layout, look_ahead)
    message = jax.eval_shape(_start, windows.pruned[0], model)
    given = (windows.pruned[0], windows.chunks[0], message, model, windows.look_ahead[0])
    kept, scratch = measured_bytes(_filter, *given)
    return groups_within(draws, layout.size * kept + scratch, num_devices())


def _thread_draws(
    key: PRNGKey,
    pruned: _Pruned,
    chunks: Sequence[GenomeChunk],
    model: ThreadingModel,
    layout: WindowLayout,
    *,
    refresh: bool,
    look_ahead: Sequence[LookAhead] | None,
    draws: slice = slice(None),  # noqa: B008
) -> tuple[
    list[RecombinationGraph] | None, Float[np.ndarray, " draws"], Float[np.ndarray, " draws"]
]:
    """Thread some of the draws, with the random numbers they have when all are threaded at once."""
    key_last, key_chunks = jax.random.split(key)
    num_draws = pruned[0].haplotype.shape[0]
    if draws != slice(None):
        pruned = [batched(jax.tree.map(lambda leaf: leaf[draws], one)) for one in pruned]
    windows = _Windows.of(pruned, chunks, layout, look_ahead)
    filtered, message, log_evidence = windows.filter(model)
    shape = (windows.pruned[0].haplotype.shape[0], num_draws)
    keys = jax.random.split(key_last, shape)[:, draws]
    last = _last_positions(keys, message, windows.pruned[-1], windows.pruned[0])
    grown: list[RecombinationGraph] = []
    overflow, tilt = [], np.zeros(log_evidence.shape)
    for place in reversed(range(layout.size)):
        keys = jax.random.split(jax.random.fold_in(key_chunks, place), shape)[:, draws]
        at = (windows.pruned[place], windows.chunks[place])
        graph, last, full, here = _extend(keys, *filtered.pop(), *at, last, model, refresh)
        grown.append(graph)
        overflow.append(full)
        if here is not None:
            tilt += np.asarray(here, dtype=np.float64).sum(0)
    # First: paths drawn from messages that are not numbers overflow any capacity.
    _require_finite(log_evidence, np.asarray(pruned[0].haplotype), layout, draws.start or 0)
    if np.any(jax.device_get(overflow)):
        return None, log_evidence, tilt
    return layout.chunks(grown[::-1]), log_evidence, tilt


@jax.jit
def _void(chunk: _Chunk) -> _Chunk:
    """A chunk in which nothing can happen, or potentials without effect."""
    return jax.tree.map(lambda leaf: leaf * 0, chunk)


@partial(jax.jit, static_argnames="segment")
def _still(pruned: PrunedGraph, segment: int) -> PrunedGraph:
    """A batch of graphs that stay as others are in their first (0) or last (-1) segment."""

    def throughout(trees):
        return jnp.broadcast_to(trees[:, segment, None], trees.shape)

    return replace(
        pruned,
        forests=throughout(pruned.forests),
        clades=throughout(pruned.clades),
        moved=jnp.full_like(pruned.moved, -1),
        cut_level=jnp.zeros_like(pruned.cut_level),
        interruptions=no_interruptions(pruned.interruptions),
    )


def _require_finite(
    log_evidence: Float[np.ndarray, " draws"],
    haplotypes: np.ndarray,
    layout: WindowLayout,
    first_draw: int,
) -> None:
    broken = np.flatnonzero(~np.isfinite(log_evidence))
    if not broken.size:
        return
    draw = broken[0]
    remedy = "the data are impossible under the model: check the rates and maps"
    if layout.edges:
        remedy += ", or no path leads from edge to edge of a window: use fewer windows"
    raise ValueError(
        f"the log evidence of threading haplotype {haplotypes[draw]} in draw {first_draw + draw} "
        f"is {log_evidence[draw]}; {remedy}"
    )
