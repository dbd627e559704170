"""A history of oscillators without a search, for tests of what is done with histories."""

import json

import numpy as np

from escapement_jax.curiosity.history import History

ROLLOUTS, PARAMETERS = 60, 15


def made_up_history(seed: int = 1) -> History:
    generator = np.random.default_rng(seed)
    found = generator.random(ROLLOUTS) < 0.5
    descriptors = generator.uniform(0.05, 0.95, (ROLLOUTS, 3)).astype(np.float32)
    return History(
        parameters=generator.uniform(0.0, 1.0, (ROLLOUTS, PARAMETERS)).astype(np.float32),
        descriptors=np.where(found[:, None], descriptors, 0).astype(np.float32),
        found=found,
        quality=np.where(found, 0.9, 0).astype(np.float32),
        codes=np.zeros(ROLLOUTS, np.int8),
        parents=np.arange(-1, ROLLOUTS - 1),
        memory=(generator.normal(size=(4, 2)),),
        key_data=np.array([0, seed], np.uint32),
        identity=json.dumps({"experiment": "made up"}),
    )
