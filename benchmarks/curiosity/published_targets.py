"""The six targets of the published figures, recovered from their curves."""

from escapement_jax.curiosity.behaviour.feasibility import Sinusoid

PUBLISHED_TARGETS = {
    "fig4": Sinusoid(0.4402, 0.4627, 0.2214),
    "fig5": Sinusoid(0.1349, 0.5408, 0.3138),
    "fig6": Sinusoid(0.4142, 0.5208, 0.0779),
    "fig7": Sinusoid(0.4204, 0.5757, 0.1209),
    "fig8": Sinusoid(0.1702, 0.2272, 0.0500),
    "fig9": Sinusoid(0.1305, 0.4544, 0.0338),
}
PUBLISHED_LOSSES = {
    "imgep_and_100": [13.95, 10.29, 17.45, 11.57, 12.33, 9.10],
    "random_and_100": [22.91, 9.51, 29.07, 9.58, 14.15, 10.60],
    "gradient_descent_5000": [30.58, 9.50, 34.66, 29.49, 20.08, 46.02],
}
