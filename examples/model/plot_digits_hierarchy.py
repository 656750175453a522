"""
Figure 2: digits, drawn stroke by stroke
========================================

The example of section 3.2 of the paper (figure 2). First a label is drawn, even or odd, and then a
digit of this parity. A digit is a grid of 3x3 strokes. Each stroke is replaced by one of four grids
of 3x3 smaller strokes, and each smaller stroke by one of four patches of 3x3 pixels. The nine
digits have :math:`1.38 \\cdot 10^{55}` different images.
"""

# sphinx_gallery_thumbnail_number = -1
import matplotlib.pyplot as plt

from skhier.datasets import make_digits_hierarchy
from skhier.plotting import FrequenciesDisplay, GenerationDisplay

digits = make_digits_hierarchy(40, return_X_y=False, random_state=0)

# %%
# Two digits, from their strokes to their pixels. Each cell shows its stroke. The frames follow one
# stroke through the levels.

for image in (3, 14):
    levels = [*(level[image] for level in digits.latents), digits.images[image]]
    GenerationDisplay(levels, class_names=digits.stroke_names).plot()
plt.show()

# %%
# The labeled frequency matrix of each stroke: positions where the stroke is evidence for an even
# digit are blue, and for an odd digit red. All patches of a stroke have the same matrix. Gradient
# descent therefore learns that they are the same stroke.

display = FrequenciesDisplay.from_estimator(digits.sampler, level=0)
display.ax_.set_xticks(display.ax_.get_xticks(), digits.stroke_names[0])
plt.show()

# %%
# Images of all digits. The strokes identify each digit, and a linear classifier distinguishes even
# and odd digits, but only at the level of strokes.

fig, axes = plt.subplots(4, 10, figsize=(10, 4.7), layout="constrained")
fig.suptitle("40 images and their labels")
for ax, image, label in zip(axes.flat, digits.images, digits.target):
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    ax.set_title(digits.target_names[label], fontsize=8)
    ax.set_axis_off()
plt.show()

# %%
# Check the assumptions of the theory, and compute the exact statistics of the model.

print(digits.sampler.check_assumptions())
print(digits.sampler.statistics())
