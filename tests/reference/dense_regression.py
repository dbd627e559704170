"""Regressions on pairs written out plainly, as oracles."""

import numpy as np


def pair_table(contrasts, pairs):
    """Contrasts and products of pairs, about their means."""
    products = [contrasts[:, i] * contrasts[:, j] for i, j in pairs]
    table = np.column_stack([contrasts, *products])
    return table - table.mean(axis=0)


def least_squares(features, trait):
    """Coefficients, standard errors and noise variance of a regression with intercept."""
    design = np.column_stack([np.ones(len(trait)), features])
    coefficient, *_ = np.linalg.lstsq(design, trait, rcond=None)
    residual = trait - design @ coefficient
    noise = residual @ residual / (len(trait) - design.shape[1])
    covariance = noise * np.linalg.inv(design.T @ design)
    return coefficient[1:], np.sqrt(np.diag(covariance))[1:], noise


def spike_slab_sweep(gram, moment, num_individuals, order, prior, slab, noise, mean):
    """One sweep of coordinate ascent, one feature at a time with full residual moments."""
    mean, inclusion = mean.copy(), np.zeros_like(mean)
    for k in order:
        residual = moment[k] - gram[k] @ mean + gram[k, k] * mean[k]
        variance = 1 / (gram[k, k] / noise + 1 / slab[k])
        centre = variance * residual / noise
        odds = np.log(prior[k] / (1 - prior[k])) + 0.5 * np.log(variance / slab[k])
        inclusion[k] = 1 / (1 + np.exp(-(odds + 0.5 * centre**2 / variance)))
        mean[k] = inclusion[k] * centre
    return mean, inclusion
