"""
Export to ONNX
==============

A fitted classifier is a convolutional network. ``to_torch`` returns it as a PyTorch module, which
can be exported to ONNX, a format that runs in browsers, on phones and in most languages. In this
example, onnxruntime runs the exported network. Needs ``onnx``, ``onnxscript`` and ``onnxruntime``.
"""

import logging
import tempfile
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import torch
from sklearn.datasets import load_digits

from skhier import LayerwiseCNNClassifier

X, y = load_digits().images.astype(np.float32), load_digits().target
clf = LayerwiseCNNClassifier(n_clusters=[32, 64], random_state=0).fit(X[:1000], y[:1000])
network = clf.to_torch()
print(network)

# %%
# The exporter needs an example of the input: here two images, channels first. ``dynamic_shapes``
# lets the number of images vary.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "digits.onnx"
example = (torch.zeros(2, 1, 8, 8),)
batch = torch.export.Dim("batch")
logging.disable()  # the exporter prints many messages
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch.onnx.export(
        network, example, path, dynamo=True, dynamic_shapes=[{0: batch}], verbose=False
    )
logging.disable(logging.NOTSET)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
print(f"{sum(file.stat().st_size for file in path.parent.iterdir()) / 1e3:.0f} kB")

# %%
# Compute the scores of the held-out images by the classifier, the PyTorch network and onnxruntime.

images = X[1000:]
name = session.get_inputs()[0].name
runs = {
    "LayerwiseCNNClassifier": lambda: clf.decision_function(images),
    "PyTorch": lambda: network(torch.from_numpy(images[:, None])).detach().numpy(),
    "onnxruntime": lambda: session.run(None, {name: images[:, None]})[0],
}
scores, seconds = {}, {}
for run, compute in runs.items():
    compute()  # the first call is slower, and is not timed
    start = time.perf_counter()
    scores[run] = compute()
    seconds[run] = time.perf_counter() - start
    accuracy = np.mean(scores[run].argmax(axis=1) == y[1000:])
    print(f"{run}: accuracy {accuracy:.3f}, {1e6 * seconds[run] / len(images):.0f} us per image")

# %%
# The scores agree up to rounding.

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
axes[0].plot(scores["PyTorch"].ravel(), scores["onnxruntime"].ravel(), ".", ms=2, color="#0072B2")
axes[0].set(xlabel="scores by PyTorch", ylabel="scores by onnxruntime")
difference = np.abs(scores["PyTorch"] - scores["onnxruntime"]).max()
axes[0].set_title(f"scores: largest difference {difference:.0e}")
axes[1].barh(list(seconds), [1e6 * t / len(images) for t in seconds.values()], color="#0072B2")
axes[1].set(xlabel="microseconds per image", title="time")
axes[1].invert_yaxis()
plt.show()
