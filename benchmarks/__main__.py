"""All comparisons, one after the other; docs/benchmarks.md shows what they print.

python -m benchmarks
"""

from __future__ import annotations

import subprocess
import sys

COMMANDS = (
    ("sampler_suite", "--write"),
    ("several_objectives", "--seeds", "10"),
    ("warm_start", "--seeds", "30", "--sampler", "tpe"),
    ("suggest_latency",),
    ("learning_curves", "--seeds", "100", "--jobs", "1"),
    ("real_training", "--seeds", "5"),
    ("population", "--seeds", "10"),
    ("pause_cost",),
    ("search_overhead", "--trials", "12", "--rounds", "3"),
    ("search_overhead", "--trials", "12", "--rounds", "1", "--warm", "200"),
    ("crash_safety", "--kills", "500"),
    ("crash_safety", "--kills", "500", "--keras"),
    ("simulation", "--histories", "100000"),
    ("looking", "--trials", "10000"),
    ("long_search", "--trials", "10000"),
    ("long_search", "--real", "300"),
    ("parallel_search", "scaling"),
    ("parallel_search", "reports"),
    ("parallel_trivial", "--trials", "600"),
    ("parallel_kills", "--kills", "60"),
    ("shared_database", "--kills", "30"),
    ("imbalanced_data", "--tables", "churn"),
    ("refinement", "--seeds", "10"),
    ("ensembles", "--seeds", "5"),
    ("kit_cost",),
    ("winners_luck",),
    ("bad_inputs",),
)


def main() -> None:
    """Run each in a process of its own, so that none sees what another has loaded."""
    for module, *arguments in COMMANDS:
        print(f"\n## {module} {' '.join(arguments)}\n", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *arguments], check=True)


if __name__ == "__main__":
    main()
