"""Run a command and write what it has cost: `python measured_command.py COST.json COMMAND...`.

A process starts with the peak memory of the one that started it, so this small one stands between.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    """Run the command, write its CPU seconds, wall seconds and peak memory, return its status."""
    cost_file, *command = sys.argv[1:]
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    # Linux counts memory in kibibytes, macOS in bytes.
    bytes_per_unit = 1 if sys.platform == "darwin" else 1024
    cost = {
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "wall_seconds": time.perf_counter() - started,
        "peak_memory_mb": usage.ru_maxrss * bytes_per_unit / 1e6,
    }
    Path(cost_file).write_text(json.dumps(cost), encoding="utf-8")
    sys.exit(os.waitstatus_to_exitcode(status) and 1)


if __name__ == "__main__":
    main()
