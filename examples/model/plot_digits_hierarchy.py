"""
Figure 2: digits, drawn stroke by stroke
========================================

The example of section 3.2 of the paper (figure 2). A label is drawn, even or odd; then a
digit of that parity, a grid of 3x3 strokes. Each stroke is drawn in one of four ways with
3x3 smaller strokes, and each of these as one of four patches of 3x3 pixels: there are
:math:`1.38 \\cdot 10^{55}` different images of the nine digits.
"""

import matplotlib.pyplot as plt

from skhier.datasets import make_digits_hierarchy
from skhier.plotting import FrequenciesDisplay, GenerationDisplay

digits = make_digits_hierarchy(40, return_X_y=False, random_state=0)

# %%
# From the digit's strokes to the pixels. A cell shows the stroke that it stands for; the frames
# follow one of them.

for image in (3, 14):
    levels = [*(level[image] for level in digits.latents), digits.images[image]]
    GenerationDisplay(levels, class_names=digits.stroke_names).plot()
plt.show()

# %%
# Where each stroke speaks for an even digit (blue) or an odd one (red): its labeled frequency
# matrix. Patches of one stroke share it, and that is how gradient descent finds out that they
# are the same stroke.

display = FrequenciesDisplay.from_estimator(digits.sampler, level=0)
display.ax_.set_xticks(display.ax_.get_xticks(), digits.stroke_names[0])
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
