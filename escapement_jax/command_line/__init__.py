"""The command `escapement`: every verb is a dataclass whose fields are its options.

Nothing heavy is imported before a verb runs, so that help and errors come at once.
"""

import shlex
import sys
import traceback
from collections.abc import Sequence

import escapement_jax
from escapement_jax.command_line.parse import VERBS, parse
from escapement_jax.training.run_log import terminal_log
from escapement_jax.training.stop_signals import Stopped

EXPECTED_ERRORS = (ValueError, OSError, ImportError)
"""Errors that a user can mend: told in one line, without a traceback."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code: 0, 2 for an error to mend, 130 or 143 when stopped.

    Args:
        arguments: the words after `escapement`; by default those of the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] in (["--version"], ["version"]):
        print(f"escapement {escapement_jax.__version__}")
        return 0
    if words[:1] in ([], ["--help"], ["-h"]):
        print(overview())
        return 0
    try:
        verb = parse(words)
        verb.prepare()
        with terminal_log(shlex.join(["escapement", *words]), verbose=verb.verbose):
            verb.run()
    except EXPECTED_ERRORS as error:
        if not {"-v", "--verbose"}.isdisjoint(words):
            traceback.print_exc()
        print(f"escapement: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except Stopped as stop:
        print(f"escapement: {stop}", file=sys.stderr)
        return stop.exit_code
    except KeyboardInterrupt:
        print("escapement: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


def overview() -> str:
    """Return the help text that lists every verb."""
    width = max(map(len, VERBS)) + 2
    summaries = [
        f"  {name:{width}}{(verb.__doc__ or '').splitlines()[0]}" for name, verb in VERBS.items()
    ]
    return "\n".join(
        [
            "usage: escapement VERB [options]",
            "",
            *summaries,
            "",
            "  escapement VERB --help lists the options of a verb.",
            "  escapement --version prints the version.",
        ]
    )
