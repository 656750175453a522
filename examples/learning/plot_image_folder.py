"""
A folder of images: load, learn, look at mistakes, save
=======================================================

The images are files in one subfolder for each label. This example loads them, learns from half of
them, and shows which labels are mixed up and which images are mistaken. It saves the
classifier to a file and loads it again.
"""

# %%
# Here the folder is made from scikit-learn's handwritten digits. Yours may have files of any size
# and format::
#
#     digits/0/0000.png
#     digits/0/0010.png
#     digits/1/0001.png

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skops.io
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from skhier import LayerwiseCNNClassifier
from skhier.datasets import load_image_folder

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name) / "digits"
for number, (image, label) in enumerate(zip(*load_digits(return_X_y=True))):
    (folder / str(label)).mkdir(parents=True, exist_ok=True)
    pixels = (15.9 * image.reshape(8, 8)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / str(label) / f"{number:04}.png")

# %%
# Load
# ----
# ``image_shape`` is the size to which all images are brought: (H, W) for gray images, and (H, W, 3)
# for color.

photos = load_image_folder(folder, image_shape=(8, 8))
print(photos.images.shape, photos.target_names)

# %%
# Split, fit and score
# --------------------
# Half of the images is held out. Each label has the same share of both parts.

X_train, X_test, y_train, y_test, _, files = train_test_split(
    photos.images,
    photos.target,
    photos.filenames,
    test_size=0.5,
    stratify=photos.target,
    random_state=0,
)
clf = LayerwiseCNNClassifier(n_clusters=[16, 32], random_state=0).fit(X_train, y_train)
print(f"{len(X_train)} images to learn from; accuracy {clf.score(X_test, y_test):.3f} on the rest")

# %%
# Which labels are mixed up?
# --------------------------

proba = clf.predict_proba(X_test)
predicted = clf.classes_[proba.argmax(axis=1)]
fig, ax = plt.subplots(figsize=(5, 5), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    y_test, predicted, display_labels=photos.target_names, ax=ax, cmap="Blues", colorbar=False
)
ax.set_title(f"{(predicted == y_test).sum()} of {len(y_test)} predictions are correct")
plt.show()

# %%
# Which images are mistaken?
# --------------------------
# The surest mistakes come first. They are often wrong labels or images that belong to two labels.

surest = np.argsort(np.where(predicted != y_test, -proba.max(axis=1), 0), kind="stable")
surest = [i for i in surest if predicted[i] != y_test[i]][:6]
fig, axes = plt.subplots(1, 6, figsize=(9, 2.2), layout="constrained")
for ax in axes:
    ax.set_axis_off()
for ax, i in zip(axes, surest):
    ax.imshow(X_test[i], cmap="gray")
    name, guess = photos.target_names[y_test[i]], photos.target_names[predicted[i]]
    ax.set_title(f"is {name}, taken for {guess}\nprobability {proba[i].max():.2f}", fontsize=9)
    print(files[i])
fig.suptitle("The surest mistakes")
plt.show()

# %%
# Save and load
# -------------
# skops stores arrays and the names of types. ``load`` creates objects of trusted types only: look
# at the list before you trust a file of others.

path = Path(temporary.name) / "digits.skops"
skops.io.dump(clf, path)
trusted = skops.io.get_untrusted_types(file=path)
print(*trusted, sep="\n")
loaded = skops.io.load(path, trusted=trusted)
print("equal predictions:", np.array_equal(loaded.predict(X_test), predicted))
print(f"{path.stat().st_size / 1e3:.0f} kB")
