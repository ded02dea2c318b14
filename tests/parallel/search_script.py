"""A script with a search in two workers, which a test kills or interrupts.

Arguments: the directory of the project, the folder of attempts, and the seconds of an epoch.
"""

import sys

from tests.parallel.slow_trials import slow_tuner

if __name__ == "__main__":
    tuner = slow_tuner(sys.argv[1], max_trials=8)
    try:
        tuner.search(float(sys.argv[3]), sys.argv[2], workers=2, verbose=0)
    except KeyboardInterrupt:
        sys.stdout.write("interrupted")
        sys.exit(3)
    completed = [row["state"] for row in tuner.results()].count("completed")
    sys.stdout.write(f"ended {completed}")
