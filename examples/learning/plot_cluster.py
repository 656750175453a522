"""
Learning on a cluster with Dask
===============================

The classifier learns from a Dask array without moving its chunks: each worker computes sums over
its own chunks, sends the sums, and receives centroids and kernels. In this example, two workers on
one machine draw samples of the generative model and learn from them. The result is the same as in
one process. ``pip install dask distributed``
"""

# %%
# Start a cluster
# ---------------
# To connect to a cluster of several machines, use ``Client("scheduler:8786")``.

import matplotlib.pyplot as plt
import numpy as np
from distributed import Client, LocalCluster, get_task_stream

from skhier import HierarchicalSampler, LayerwiseCNNClassifier

cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
client = Client(cluster)

# %%
# Draw images in chunks
# ---------------------
# ``to_dask`` draws nothing yet: each chunk is a function of the seed and its position. ``persist``
# makes the workers draw their chunks and keep them.

sampler = HierarchicalSampler(random_state=0).fit()
X, y = sampler.to_dask(4000, chunks=500)
X, y = X.persist(), y.persist()
X

# %%
# Fit without moving chunks
# -------------------------


def make_classifier():
    return LayerwiseCNNClassifier.algorithm_1(120, patch_size=3, random_state=0)


with get_task_stream() as stream:
    clf = make_classifier().fit(X, y)
clf

# %%
# One process that holds all images learns the same classifier, up to rounding. Predictions for a
# Dask array are lazy.

local = make_classifier().fit(X.compute(), y.compute())
new, labels = sampler.to_dask(2000, random_state=1)
scores = clf.decision_function(new)
difference = np.abs(scores.compute() - local.decision_function(new.compute())).max()
accuracy = (clf.predict(new) == labels).mean().compute()
print(f"accuracy {accuracy:.3f}; scores differ by at most {difference:.1e}")

# %%
# See the work of each worker
# ---------------------------
# The figure shows the tasks of both workers over time. In the gaps, the client clusters the sampled
# patches. This part of the work does not grow with the number of images.

names = {"_accumulate": "sums over a chunk", "_map": "outputs of a layer"}
workers = sorted({task["worker"] for task in stream.data})
start = min(stop["start"] for task in stream.data for stop in task["startstops"])
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for color, (function, name) in zip(["#0072B2", "#E69F00"], names.items()):
    ax.plot([], [], color=color, linewidth=6, label=name)
    for task in stream.data:
        if function in str(task["key"]):
            for span in task["startstops"]:
                if span["action"] == "compute":
                    row, begin = workers.index(task["worker"]), span["start"] - start
                    ax.barh(
                        row, span["stop"] - span["start"], left=begin, color=color, edgecolor=color
                    )
ax.set(xlabel="seconds", yticks=range(len(workers)), title="tasks of two workers")
ax.set_yticklabels([f"worker {number + 1}" for number in range(len(workers))])
fig.legend(loc="outside lower center", ncols=2, frameon=False)

# %%

client.close()
cluster.close()
