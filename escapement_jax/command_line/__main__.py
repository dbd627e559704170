"""Run the command as ``python -m escapement_jax.command_line``."""

import sys

from escapement_jax.command_line import main

sys.exit(main())
