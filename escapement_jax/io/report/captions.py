"""What figures show and what names stand for, in words."""

import re

FIGURES = {
    "population_size": "Diploid population size through time, N_e(t), with its 95 % interval.",
    "pairwise_tmrca": "Time to the most recent common ancestor of pairs of haplotypes along the "
    "genome, over the draws.",
    "log_weights": "Log weights of the draws: how well each one explains the genomes.",
    "predictive_checks": "Genomes made anew on the draws against the genomes given: diversity, "
    "frequency spectrum and linkage.",
    "trace": "Course of the chains over the sweeps.",
    "rank_histograms": "Ranks of the truth among the draws: flat if the posterior is calibrated.",
    "rank_ecdf_differences": "Distribution of the ranks of the truth, less the uniform one, with "
    "the band that a calibrated posterior stays in.",
    "additive_effects": "Additive effect of every locus on every trait.",
    "epistatic_effects": "Interaction effects of pairs of loci on every trait.",
    "variance_components": "Variance of every trait by component, with standard errors.",
    "interval_calibration": "Share of true effects inside intervals of every nominal level.",
    "methods": "Prediction of every method on test individuals.",
    "reconstruction": "Predictions rebuilt from effects against those of the network.",
    "sensitivity_variance": "How much the sensitivity of the network to a locus varies.",
    "variance_spectrum": "Variance of the network's prediction by order of interaction.",
    "genotype_clusters": "Individuals by genotype at interacting loci.",
    "archive": "Behaviours that were found, by their descriptors.",
    "curves": "Different behaviours found against rollouts spent.",
    "time_courses": "Time courses of discoveries that differ most.",
    "circuits": "Circuits behind these time courses.",
    "identifiability": "Which rates the data determine.",
    "types": "Types of metabolites by slope and set point.",
    "rate_constants": "Recovered rate constants with their errors.",
    "node_functions": "Homeostatic response of the metabolites of each type.",
    "embeddings": "Metabolites in the space of their types.",
    "kinograph": "Concentration of every metabolite through time.",
    "prediction": "Predicted against measured concentrations, from the start alone.",
    "published_recipe": "Trials of the published recipe and their rewards.",
}

TERMS = {
    "elbo": "lower bound on log P(genomes), nats",
    "elbo_stderr": "standard error of the bound",
    "num_haplotypes": "haplotypes",
    "num_sites": "sites",
    "num_draws": "draws",
    "num_loci": "loci",
    "num_individuals": "individuals",
    "num_candidate_pairs": "candidate pairs",
    "num_replicates": "replicates",
    "peak_memory_mb": "peak memory, MB",
    "seconds": "seconds of wall time",
    "test_r2": "R\N{SUPERSCRIPT TWO} on test individuals",
    "qd_filled_bins": "different behaviours (filled cells)",
    "qd_bins": "cells along each axis",
    "qd_score": "quality-diversity score",
}

_PLACE = re.compile(r"local_tree_(\d+)")


def caption(stem: str) -> str:
    """Return what a figure shows, from the name of its file."""
    if place := _PLACE.fullmatch(stem):
        return f"Local tree of the first draw at base pair {int(place[1]):,}."
    return FIGURES.get(stem, f"{words(stem).capitalize()}.")


def rank(stem: str) -> int:
    """Return the place of a figure on the page: the main ones first, unknown ones last."""
    return list(FIGURES).index(stem) if stem in FIGURES else len(FIGURES)


def label(name: str) -> str:
    """Return the words for a key of a summary or the column of a table."""
    return TERMS.get(name, words(name))


def words(name: str) -> str:
    """Return a name with spaces, as people write it."""
    return name.replace("_", " ").strip()
