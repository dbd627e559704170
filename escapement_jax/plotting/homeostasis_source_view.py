"""The published figures: node functions, embeddings, kinograph, losses."""

import jax.numpy as jnp
import numpy as np
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from escapement_jax.homeostasis.gradient_baseline.explore import Exploration
from escapement_jax.homeostasis.recovery import Recovery
from escapement_jax.homeostasis.simulation.truth import Truth
from escapement_jax.homeostasis.source_view.distillation import LARGEST_CONCENTRATION
from escapement_jax.homeostasis.source_view.node_function import NodeFunction
from escapement_jax.homeostasis.time_courses import TimeCourses
from escapement_jax.plotting.style import COLOURS, GREY, VERMILION, styled_figure

NUM_POINTS = 81
SMALLEST_SHOWN = 0.1


def plot_node_functions(
    node: NodeFunction, recovery: Recovery, truth: Truth | None = None
) -> Figure:
    """Draw the homeostasis of every metabolite by its type, and the true lines dashed.

    Args:
        node: The curves.
        recovery: The types found, with the errors of their lines.
        truth: What is true, if it is known.
    """
    grid = np.linspace(0.0, LARGEST_CONCENTRATION, NUM_POINTS)
    curves = np.asarray(node.curves(jnp.asarray(grid, dtype=node.embeddings.dtype)))
    with styled_figure(5.2, 3.6) as figure:
        axes = figure.subplots()
        for kind in range(recovery.num_types):
            colour = COLOURS[kind % len(COLOURS)]
            members = curves[recovery.types == kind] * 1e3
            axes.plot(grid, members.T, color=colour, linewidth=0.6, alpha=0.35)
            label = f"type {kind}, set point {recovery.type_baselines[kind]:.2f}"
            axes.plot(grid, members.mean(axis=0), color=colour, linewidth=2, label=label)
        if truth is not None:
            slopes, offsets = np.asarray(truth.type_slopes), np.asarray(truth.type_offsets)
            lines = (slopes[:, None] * grid + offsets[:, None]) * 1e3
            drawn = axes.plot(grid, lines.T, color="black", linestyle="--", linewidth=1)
            drawn[0].set_label("truth")
        axes.axhline(0, color=GREY, linewidth=0.6)
        axes.set(xlabel="concentration", ylabel="homeostasis (10$^{-3}$ per unit of time)")
        axes.set_xlim(0, LARGEST_CONCENTRATION)
        axes.set_title("Node function of every metabolite")
        axes.legend()
    return figure


def plot_embeddings(node: NodeFunction, recovery: Recovery, truth: Truth | None = None) -> Figure:
    """Draw the embeddings, coloured by the type found; a cross marks a true type that differs.

    Args:
        node: The embeddings.
        recovery: The types found.
        truth: What is true, if it is known.
    """
    embeddings = np.asarray(node.embeddings)
    with styled_figure(4.2, 3.8) as figure:
        axes = figure.subplots()
        for kind in range(recovery.num_types):
            members = recovery.types == kind
            axes.plot(
                *embeddings[members].T,
                "o",
                color=COLOURS[kind % len(COLOURS)],
                markersize=6,
                alpha=0.5,
                markeredgewidth=0,
                label=f"type {kind} ({int(members.sum())})",
            )
        if truth is not None:
            wrong = _in_the_wrong_type(recovery, truth)
            label = f"other true type ({int(wrong.sum())})"
            axes.plot(*embeddings[wrong].T, "kx", markersize=6, label=label)
        axes.set(xlabel="embedding 1", ylabel="embedding 2")
        axes.margins(0.2)
        axes.set_title("Embeddings of metabolites")
        axes.legend()
    return figure


def _in_the_wrong_type(recovery: Recovery, truth: Truth) -> np.ndarray:
    """Mark metabolites outside the true type that is commonest in the type found."""
    types = np.asarray(truth.types)
    wrong = np.zeros(len(types), dtype=bool)
    for kind in range(recovery.num_types):
        members = recovery.types == kind
        if members.any():
            wrong |= members & (types != np.bincount(types[members]).argmax())
    return wrong


def plot_kinograph(courses: TimeCourses, recovery: Recovery, *, trajectory: int = 0) -> Figure:
    """Draw all metabolites over time: measured, modelled, and what is left over.

    Args:
        courses: What was measured.
        recovery: What was recovered, with its fit to the data.
        trajectory: Which trajectory.
    """
    times = np.asarray(courses.times)
    measured = np.asarray(courses.concentrations[trajectory]).T
    fitted = np.asarray(recovery.fitted[trajectory]).T
    order = np.argsort(-np.nanmean(measured, axis=1))
    largest = float(np.nanmax(np.abs(measured)))
    left_over = measured - fitted
    bound = max(float(np.nanquantile(np.abs(left_over), 0.995)), 1e-12)
    shared = SymLogNorm(SMALLEST_SHOWN, vmin=0, vmax=largest)
    with styled_figure(8.2, 4.6) as figure:
        panels = figure.subplots(3, 1, sharex=True)
        for axes, values, name in zip(
            panels, (measured, fitted, left_over), ("measured", "modelled", "residual"), strict=True
        ):
            residual = name == "residual"
            image = axes.imshow(
                values[order],
                aspect="auto",
                interpolation="nearest",
                extent=(times[0], times[-1], len(order), 0),
                cmap="RdBu_r" if residual else "viridis",
                **({"vmin": -bound, "vmax": bound} if residual else {"norm": shared}),
            )
            axes.grid(visible=False)
            axes.set_title(name)
            bar = figure.colorbar(image, ax=axes, pad=0.01, aspect=12)
            bar.ax.tick_params(labelsize=7)
        panels[1].set_ylabel("metabolites, by mean concentration")
        panels[-1].set_xlabel("time")
    return figure


def plot_recipe(exploration: Exploration) -> Figure:
    """Draw the published recipe: losses of both phases, and how good every trial was.

    Args:
        exploration: What the recipe has found.
    """
    lengths = sorted({trial.recipe.rollout_length for trial in exploration.trials})
    colours = {length: COLOURS[place % len(COLOURS)] for place, length in enumerate(lengths)}
    with styled_figure(8.2, 3.0) as figure:
        one, two, rewards = figure.subplots(1, 3)
        shares = np.linspace(0, 100, max(len(exploration.phase_one_losses), 1))
        one.plot(shares[: len(exploration.phase_one_losses)], exploration.phase_one_losses)
        one.set(xlabel="% of training", ylabel="loss", title="Phase 1")
        if len(exploration.phase_one_losses):
            one.set_yscale("log")
        shares = np.linspace(0, 100, exploration.losses.shape[1])
        for trial, losses in zip(exploration.trials, exploration.losses, strict=True):
            colour = colours[trial.recipe.rollout_length]
            two.plot(shares, losses, color=colour, linewidth=0.8, alpha=0.7)
        two.set(xlabel="% of training", yscale="log", title="Phase 2, every trial")
        for length, colour in colours.items():
            chosen = [
                (number, trial.reward)
                for number, trial in enumerate(exploration.trials)
                if trial.recipe.rollout_length == length
            ]
            rewards.plot(*zip(*chosen, strict=True), "o", color=colour, label=f"{length} steps")
        best = exploration.best
        reward = exploration.trials[best].reward
        rewards.plot(best, reward, "o", markersize=11, markerfacecolor="none", color=VERMILION)
        rewards.set(xlabel="trial", title="Residual explained, held out")
        rewards.legend(title="rollout")
    return figure
