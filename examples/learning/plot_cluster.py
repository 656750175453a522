"""
More machines than one
======================

Chunks of a Dask array are learned from where they are: workers send sums, and get centroids and
kernels. Here a cluster of two workers on this machine learns from samples of the generative model
that it draws itself, and finds what one process finds. ``pip install "skhier[dask]"``
"""

# %%
# A cluster
# ---------
# With a cluster of machines this is ``Client("scheduler:8786")``.

import matplotlib.pyplot as plt
import numpy as np
from distributed import Client, LocalCluster, get_task_stream

from skhier import HierarchicalSampler, LayerwiseCNNClassifier

cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
client = Client(cluster)

# %%
# Images in chunks
# ----------------
# Nothing is drawn yet: each chunk is a function of the seed and of where it lies.

sampler = HierarchicalSampler(random_state=0).fit()
X, y = sampler.to_dask(12_000, chunks=1500)
X, y = X.persist(), y.persist()
X

# %%
# Fit where the chunks are
# ------------------------


def make_classifier():
    return LayerwiseCNNClassifier.algorithm_1(120, patch_size=3, random_state=0)


with get_task_stream() as stream:
    clf = make_classifier().fit(X, y)
clf

# %%
# One process that holds all images finds the same, but for rounding. Predictions for a Dask array
# are lazy.

alone = make_classifier().fit(X.compute(), y.compute())
new, labels = sampler.to_dask(2000, random_state=1)
scores = clf.decision_function(new)
difference = np.abs(scores.compute() - alone.decision_function(new.compute())).max()
accuracy = (clf.predict(new) == labels).mean().compute()
print(f"accuracy {accuracy:.3f}; scores differ by {difference:.1e} at most")

# %%
# Who did what
# ------------
# Tasks of workers over time. Between them the client clusters the patches that were drawn: that
# part of the work does not grow with the number of images.

names = {"_accumulate": "sums over a chunk", "_make": "outputs of a layer", "_take": "patches"}
workers = sorted({task["worker"] for task in stream.data})
start = min(stop["start"] for task in stream.data for stop in task["startstops"])
fig, ax = plt.subplots(figsize=(8, 2.2), layout="constrained")
for color, (function, name) in enumerate(names.items()):
    ax.plot([], [], color=f"C{color}", linewidth=6, label=name)
    for task in stream.data:
        if function in str(task["key"]):
            for span in task["startstops"]:
                if span["action"] == "compute":
                    row, begun = workers.index(task["worker"]), span["start"] - start
                    ax.barh(row, span["stop"] - span["start"], left=begun, color=f"C{color}")
ax.set(xlabel="seconds", yticks=range(len(workers)), ylim=(-0.6, 1.6))
ax.set_yticklabels([f"worker {number + 1}" for number in range(len(workers))])
ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.3), ncols=3, frameon=False)

# %%

client.close()
cluster.close()
