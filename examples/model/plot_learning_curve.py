"""
Learning curves against the Bayes optimum
=========================================

The distribution of synthetic images is known. So is the Bayes risk, the smallest error that a
classifier can have. In this example, a tenth of the symbols of each level and a twentieth of the
labels are replaced at random, and pixels have noise. The figure compares the errors of three
learners with the Bayes risk, against the number of images.
"""

# sphinx_gallery_thumbnail_number = -1
import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from skhier import Flatten, HierarchicalSampler, LayerwiseCNNClassifier

sampler = HierarchicalSampler(
    patches_per_class=5, symbol_noise=0.1, label_noise=0.05, pixel_noise=0.3, random_state=0
).fit()
clean = HierarchicalSampler(patches_per_class=5, random_state=0).fit()
sizes = [250, 500, 1000, 2000]
X, y = sampler.sample(sizes[-1] + 2000)
X_test, y_test = X[-2000:], y[-2000:]

# %%
# The same seed without noise gives the same images without noise.

fig, axes = plt.subplots(2, 6, figsize=(9, 3.2), layout="constrained")
for row, images, name in zip(axes, (clean.sample(6)[0], X), ("clean", "as observed")):
    for ax, image in zip(row, images):
        ax.imshow(image, cmap="gray")
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
fig.suptitle("six images")
plt.show()

# %%
# The best classifier knows the model, and computes its posterior by belief propagation.

risk, standard_error = sampler.bayes_risk(4000, random_state=1)
print(f"Bayes risk: {risk:.4f} +- {standard_error:.4f}")
error = (sampler.bayes_predict(X_test) != y_test).mean()
print(f"error of the best classifier on the test images: {error:.4f}")

# %%
# Measure the errors of three learners for each number of images.

learners = {
    "linear SVM": make_pipeline(Flatten(), StandardScaler(), LinearSVC(C=0.01, random_state=0)),
    "RBF SVM": make_pipeline(Flatten(), StandardScaler(), SVC()),
    "algorithm 1": LayerwiseCNNClassifier.algorithm_1(20, patch_size=3, random_state=0),
}
errors = {}
for name, learner in learners.items():
    errors[name] = [1 - learner.fit(X[:n], y[:n]).score(X_test, y_test) for n in sizes]
    print(f"{name}: " + ", ".join(f"{error:.3f}" for error in errors[name]))

# %%
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for (name, curve), color in zip(errors.items(), ["0.6", "#E69F00", "#0072B2"]):
    ax.plot(sizes, curve, "o-", color=color, label=name)
ax.axhline(risk, color="#D55E00", linestyle="--", label="Bayes risk")
ax.axhspan(*(risk + 2 * standard_error * np.array([-1, 1])), color="#D55E00", alpha=0.15)
ax.set(xscale="log", ylim=(0, 0.55), xlabel="images to learn from", ylabel="error on test images")
ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
ax.set_title("errors of three learners, and the smallest possible error")
ax.minorticks_off()
ax.legend(frameon=False)
plt.show()
