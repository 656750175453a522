"""
Digits, drawn stroke by stroke
==============================

The example of section 3.2 of the paper (figure 2). A label is drawn, even or odd; then a
digit of that parity, a grid of 3x3 strokes. Each stroke is drawn in one of four ways with
3x3 smaller strokes, and each of these as one of four patches of 3x3 pixels: there are
:math:`1.38 \\cdot 10^{55}` different images of the nine digits.
"""

import matplotlib.pyplot as plt

from skhier.datasets import make_digits_hierarchy

digits = make_digits_hierarchy(40, return_X_y=False, random_state=0)

# %%
# From the digit's strokes to the pixels. A cell shows the stroke that it stands for.

fig, axes = plt.subplots(3, 3, figsize=(7, 7), layout="constrained")
titles = ["$X^{(0)}$: strokes", "$X^{(1)}$: smaller strokes", "$X^{(2)}$: pixels"]
for row, image in zip(axes, [3, 14, 1]):
    for ax, level, names in zip(row, digits.latents, digits.stroke_names):
        grid = level[image]
        ax.imshow(grid > 0, cmap="Greys", vmin=0, vmax=8)
        for i, j in [(i, j) for i in range(len(grid)) for j in range(len(grid))]:
            size = 110 / len(grid)
            ax.text(j, i, names[grid[i, j]], ha="center", va="center", fontsize=size)
        ax.set(xticks=[], yticks=[])
    row[2].imshow(digits.images[image], cmap="gray_r", vmin=0, vmax=1)
    row[2].set(xticks=[], yticks=[])
    row[0].set_ylabel(digits.target_names[digits.target[image]])
for ax, title in zip(axes[0], titles):
    ax.set_title(title)
plt.show()

# %%
# More of them. All digits are told apart by their strokes, and even from odd ones linearly,
# but only at the level of strokes.

fig, axes = plt.subplots(4, 10, figsize=(10, 4.3), layout="constrained")
for ax, image, label in zip(axes.flat, digits.images, digits.target):
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    ax.set_title(digits.target_names[label], fontsize=8)
    ax.set_axis_off()
plt.show()

# %%
# What the theory asks of the model, and what can be said of it exactly.

print(digits.sampler.check_assumptions())
print(digits.sampler.statistics())
