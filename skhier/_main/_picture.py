"""The pictures that the command writes."""

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

_MAX_MISTAKES = 12  # a grid of 4 rows and 3 columns


def _pyplot():
    """Return matplotlib's pyplot for drawing to files; print a hint and return None without it."""
    try:
        import matplotlib
    except ImportError:
        print("\nNo picture: matplotlib is not installed (pip install 'skhier[plot]').")
        return None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def draw_picture(classifier, image, path):
    """Draw the centroids of the first layer and one image through all layers."""
    if (plt := _pyplot()) is None:
        return
    from ..plotting import CentroidsDisplay, LayersDisplay

    n_stages = 1 + sum(1 + (block.embedder is not None) for block in classifier.layers_)
    figure = plt.figure(figsize=(2.8 * n_stages, 6.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, hspace=0.04)
    top.suptitle("Filters of the first layer: centroids of whitened patches")
    bottom.suptitle("One held-out image after each layer (strongest channels)")
    display = CentroidsDisplay.from_estimator(
        classifier.layers_[0].orthogonalizer, ax=top.subplots()
    )
    display.ax_.set_title("")
    axes = bottom.subplots(1, n_stages, gridspec_kw={"wspace": 0.1})
    LayersDisplay.from_estimator(classifier, image, axes=axes)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"\nPicture: {path}")


def draw_mistakes(classifier, X, y, names, path):
    """Draw the confusion matrix of held-out images, and the mistakes of the highest scores.

    `names[label]` is the name of a class. If `names` is None, labels are shown instead.
    """
    if (plt := _pyplot()) is None:
        return
    from ..plotting._sheets import show_colors

    scores = classifier.decision_function(X)
    scores = np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
    classes = classifier.classes_
    predicted = classes[scores.argmax(axis=1)]
    labels = np.union1d(classes, y)
    # Matplotlib would read a name in dollar signs as a formula.
    name_of = {
        label: str(label if names is None else names[label]).replace("$", r"\$") for label in labels
    }
    wrong = np.flatnonzero(predicted != y)
    confident = wrong[np.argsort(-scores.max(axis=1)[wrong], kind="stable")][:_MAX_MISTAKES]
    shown = [*confident, *[None] * (_MAX_MISTAKES - len(confident))]
    side = min(12, 3.5 + 0.35 * len(labels))
    figure = plt.figure(figsize=(side + 5, side), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[side, 5])
    left.suptitle(f"{len(X) - len(wrong):,} of {len(X):,} predictions are correct")
    ConfusionMatrixDisplay.from_predictions(
        y,
        predicted,
        labels=labels,
        display_labels=[name_of[label] for label in labels],
        ax=left.subplots(),
        cmap="Blues",
        colorbar=False,
        xticks_rotation="vertical",
        include_values=len(labels) <= 20,
    )
    right.suptitle("Most confident mistakes: label, prediction" if len(wrong) else "No mistakes")
    for ax, i in zip(right.subplots(4, 3).flat, shown):
        ax.set_axis_off()
        if i is not None:
            if X[i].shape[2:] == (3,):
                show_colors(ax, X[i])
            else:
                ax.imshow(X[i].reshape(*X[i].shape[:2], -1).mean(axis=2), cmap="gray")
            ax.set_title(f"{name_of[y[i]]},\n{name_of[predicted[i]]}", fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"Picture of mistakes: {path}")
