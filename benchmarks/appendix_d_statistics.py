"""Exact theta, lambda and Delta_min of models of appendix D, compared with figure 3 as printed.

Usage: python benchmarks/appendix_d_statistics.py [--seeds 100] [--csv FILE]
"""

import argparse

import numpy as np
from _common import Table

from skhier import HierarchicalSampler

PRINTED = {30: ("0.96", "?"), 40: ("1.64", "0.16"), 50: ("1.65", "0.18")}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--seeds", type=int, default=100)
parser.add_argument("--csv")
options = parser.parse_args()

print("smallest value of both levels; percentiles over the seeds")
columns = ("k", "", "printed", "5 %", "25 %", "50 %", "75 %", "95 %")
table = Table(*columns, csv_path=options.csv)
for k, (theta, lambda_) in PRINTED.items():
    statistics = [
        HierarchicalSampler(patches_per_class=k, random_state=seed).fit().statistics()
        for seed in range(options.seeds)
    ]
    for name, printed in [
        ("theta", theta),
        ("lambda_", lambda_),
        ("min_abs_sin", ""),
        ("delta_min", ""),
    ]:
        values = [getattr(exact, name) for exact in statistics]
        table.add(k, name, printed, *np.percentile(values, [5, 25, 50, 75, 95]))
