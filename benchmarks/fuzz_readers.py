"""Break files in thousands of ways, and see whether every reader keeps its promise.

    python benchmarks/fuzz_readers.py --examples 200 --output benchmarks/results/fuzz_readers.json

Prints, for every reader, how many inputs were tried, read and refused, and each way in which the
promise of `tests/io/fuzzing.py` was broken. Every reader runs in a process of its own, so that a
crash of a library is one more finding.
"""

import argparse
import collections
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
MOST_SECONDS = 900


def fuzz(name: str, examples: int, seed: int) -> dict:
    """Break the files of one reader and count what becomes of them."""
    import hypothesis
    from hypothesis import strategies as st

    from tests.io.fuzzed_readers import READERS
    from tests.io.fuzzing import Broken, attempt, broken_files, damages

    reader, counts, findings = READERS[name], collections.Counter(), {}
    sound = reader.seed()
    started = time.process_time()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(damages, st.sampled_from([0, 0, *range(len(sound))]))
    def one(damage, which):
        files = broken_files(sound, damage, which)

        with tempfile.TemporaryDirectory() as folder:
            try:
                counts[attempt(reader, files, Path(folder))] += 1
            except Broken as broken:
                counts["broken"] += 1
                findings.setdefault(str(broken).replace(folder, "")[:120], repr((damage, which)))

    one()
    return {
        "tried": sum(counts.values()),
        "read": counts["read"],
        "refused": counts["refused"],
        "broken": counts["broken"],
        "findings": findings,
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def in_its_own_process(name: str, examples: int, seed: int) -> dict:
    """Fuzz one reader so that a crash is seen."""
    words = [sys.executable, __file__, "--reader", name, "--examples", str(examples)]
    try:
        done = subprocess.run(
            [*words, "--seed", str(seed)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=MOST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"tried": 0, "read": 0, "refused": 0, "broken": 1, "findings": {"hangs": ""}}
    if done.returncode:
        last = "\n".join(done.stderr.splitlines()[-12:])
        found = {f"exit code {done.returncode}": last}
        return {"tried": 0, "read": 0, "refused": 0, "broken": 1, "findings": found}
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reader", default=None)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--output", type=Path, default=None)
    options = parser.parse_args()
    if options.reader is not None:
        warnings.simplefilter("error")
        import jax

        jax.config.update("jax_enable_x64", True)
        print(json.dumps(fuzz(options.reader, options.examples, options.seed)))
        return
    from tests.io.fuzzed_readers import READERS

    results = {}
    for name in options.only or READERS:
        results[name] = found = in_its_own_process(name, options.examples, options.seed)
        print(
            f"{name:26}" + "  ".join(f"{key} {found.get(key)}" for key in list(found)[:4]),
            flush=True,
        )
        for finding, example in found["findings"].items():
            print(f"    {finding}\n        {example[:600]}", flush=True)
    if options.output is not None:
        from benchmarks.record import write_result

        write_result(options.output, {"examples": options.examples, "readers": results})


if __name__ == "__main__":
    main()
