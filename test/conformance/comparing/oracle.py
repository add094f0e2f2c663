"""Statistics by SciPy and statsmodels: reads vectors as JSON from stdin, prints what the tests compare with."""

import json
import sys

import numpy as np
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests


def paired(case):
    base, candidate = np.array(case["base"]), np.array(case["candidate"])
    d = candidate - base
    n = len(d)
    low, high = stats.ttest_rel(candidate, base).confidence_interval(0.95)
    result = {"mean": d.mean(), "stderr": stats.sem(d), "interval": [low, high]}
    if set(base) | set(candidate) <= {0.0, 1.0}:
        up, down = int((d > 0).sum()), int((d < 0).sum())
        table = [[0, down], [up, 0]]
        result["mcnemar"] = {
            "p": mcnemar(table, exact=True).pvalue,
            "low": stats.binomtest(up, up + down, 0.5, alternative="less").pvalue,
            "high": stats.binomtest(up, up + down, 0.5, alternative="greater").pvalue,
        }
    elif n <= 13:
        exact = {
            kind: stats.permutation_test(
                (d,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", n_resamples=np.inf, alternative=kind
            ).pvalue
            for kind in ("two-sided", "less", "greater")
        }
        result["signFlip"] = {"p": exact["two-sided"], "low": exact["less"], "high": exact["greater"]}
    if case.get("clusters"):
        names, of = np.unique(case["clusters"], return_inverse=True)
        # statsmodels' own correction is G/(G-1) * (n-1)/(n-k); the second factor is 1 for a mean (k = 1).
        fit = sm.OLS(d, np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": of}, use_t=True)
        result["clustered"] = {
            "stderr": float(fit.bse[0]),
            "p": float(fit.pvalues[0]),
            "interval": [float(end) for end in fit.conf_int()[0]],
        }
    return result


def main():
    given = json.load(sys.stdin)
    print(
        json.dumps(
            {
                "paired": [paired(case) for case in given["paired"]],
                "unpaired": [
                    {"p": 2 * stats.norm.sf(abs((b - a) / np.hypot(sa, sb))), "stderr": np.hypot(sa, sb)}
                    for a, sa, b, sb in given["unpaired"]
                ],
                "holm": [list(multipletests(ps, method="holm")[1]) for ps in given["holm"]],
                "t": [[stats.t.ppf(p, df), stats.t.cdf(x, df)] for p, x, df in given["t"]],
                "binomial": [stats.binom.cdf(k, n, 0.5) for k, n in given["binomial"]],
                "normal": [[stats.norm.ppf(p), stats.norm.cdf(x)] for p, x in given["normal"]],
            },
            indent=1,
        )
    )


main()
