"""Statistics of a large comparison start without `scipy`, and a small one without `scipy.stats`."""

from __future__ import annotations

import subprocess
import sys

LARGE = """
import sys
import numpy as np
from llmctl.stats import bootstrap, clustered, multiplicity, paired, permutation, power, ratio, repeats, tango
values = np.arange(5000) % 7 / 7 - 0.4
clustered.estimate_mean(values).p_value(), clustered.estimate_mean(values).interval()
paired.mcnemar(40_000, 39_000), tango.tango_interval(4, 3, 14)
paired.newcombe_interval(paired.PairedCounts(5, 4, 3, 2)), multiplicity.holm([0.1])
permutation.sign_flip(values), bootstrap.bca_mean(values, resamples=20), ratio.ratio_of_medians(values + 1, values + 1)
power.smallest_drop(5000, 0.1), power.cases_to_pass(0.05, 0.1), repeats.repeats([2, 2], [1, 2])
sys.exit(", ".join(name for name in sys.modules if name.startswith("scipy")) or 0)
"""
SMALL = """
import sys
from llmctl.stats import binomial, clustered, exact_power, ppi
clustered.estimate_mean([0.1, 0.4]).interval(), binomial.clopper_pearson(3, 5), exact_power.midp_power(50, 0.1, 0.05)
ppi.ppi_mean([1.0, 0.0], [1.0, 1.0], [0.0])
sys.exit("scipy.stats" in sys.modules)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_large_comparison_imports_no_scipy() -> None:
    done = run(LARGE)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_imports_scipy_stats() -> None:
    done = run(SMALL)
    assert (done.returncode, done.stderr) == (0, "")
