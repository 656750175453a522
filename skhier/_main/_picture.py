"""The pictures that the command writes."""

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from ._files import named_file, require_folder, require_writable

_N_COMPARED = 100  # images by which channels are chosen
_N_ROWS, _MAX_COLUMNS = 4, 3  # of mistakes
_LONGEST_NAME = 30  # characters: longer ones leave no room for the figure


def check_picture(path):
    """Return the path of a picture, with the suffix .png if it has none.

    Raises
    ------
    ValueError
        If the picture, or that of mistakes, cannot be written there.
    """
    path = named_file(path, ".png", "skhier.png")  # the suffix that matplotlib adds
    require_folder(path)
    suffix, known = path.suffix[1:].lower(), _suffixes()
    if known and suffix not in known:
        raise ValueError(f"{path} has a suffix that is none of {', '.join(known)}")
    for file in (path, mistakes_path(path)):
        require_writable(file)
    return path


def mistakes_path(path):
    """Return the path of the picture of mistakes, next to the other picture."""
    return path.with_stem(path.stem + "-mistakes")


def _suffixes():
    """Return the suffixes of files that matplotlib writes; none if it is not installed."""
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        return []
    known = FigureCanvasBase.get_supported_filetypes()
    return sorted(set(known) - {"pgf"})  # which needs LaTeX


def _pyplot():
    """Return matplotlib's pyplot for drawing to files; print a hint and return None without it."""
    try:
        import matplotlib
    except ImportError:
        print("\nNo picture: matplotlib is not installed (pip install matplotlib).")
        return None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def draw_picture(classifier, X, path):
    """Draw the centroids of the first layer, and the first image of X after each layer."""
    if (plt := _pyplot()) is None:
        return
    from ..plotting import CentroidsDisplay, LayersDisplay

    n_stages = 1 + sum(1 + (block.embedder is not None) for block in classifier.layers_)
    figure = plt.figure(figsize=(2.8 * n_stages, 7), layout="constrained")
    top, bottom = figure.subfigures(2, 1, hspace=0.04, height_ratios=[0.8, 1])
    top.suptitle("Filters of the first layer: centroids of whitened patches")
    bottom.suptitle("A held-out image after each layer: channels that differ most between images")
    display = CentroidsDisplay.from_estimator(classifier, ax=top.subplots())
    display.ax_.set_title("")
    axes = bottom.subplots(1, n_stages, gridspec_kw={"wspace": 0.1})
    LayersDisplay.from_estimator(classifier, X[:_N_COMPARED], axes=axes)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"\nPicture: {path}")


def draw_mistakes(classifier, X, y, path):
    """Draw the confusion matrix of held-out images, and the mistakes of the highest scores."""
    if (plt := _pyplot()) is None:
        return
    scores = classifier.decision_function(X)
    scores = np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
    classes = classifier.classes_
    predicted = classes[scores.argmax(axis=1)]
    labels = np.union1d(classes, y)
    name_of = {label: str(label) for label in labels}
    families, name_of = _drawable(name_of)
    with plt.rc_context({"font.family": families}):
        figure = _mistakes_figure(plt, X, y, predicted, scores.max(axis=1), labels, name_of)
        figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"Picture of mistakes: {path}")


def _drawable(name_of):
    """Return font families for the names of labels, and names that they draw.

    Long names, and names that no font draws, are replaced by numbers, and printed.
    """
    families, missing = _find_fonts(set("".join(name_of.values())))
    numbers = {}
    for reason, is_left_out in (
        ("No font on this machine has all characters of", lambda name: missing & set(name)),
        ("There is no room for the names of", lambda name: len(name) > _LONGEST_NAME),
    ):
        found = [label for label, name in name_of.items() if is_left_out(name)]
        found = [label for label in found if label not in numbers]
        numbers |= {label: f"#{number}" for number, label in enumerate(found, len(numbers) + 1)}
        if found:
            listed = ", ".join(f"{numbers[label]} {name_of[label]}" for label in found)
            print(f"{reason} these labels: {listed}")
    # Matplotlib would read a name in dollar signs as a formula.
    return families, {
        label: numbers.get(label, name.replace("$", r"\$")) for label, name in name_of.items()
    }


def _find_fonts(characters):
    """Return the default font family and others for characters that it lacks, and the rest."""
    from matplotlib import font_manager, ft2font, rcParams

    def characters_in(file):
        font = ft2font.FT2Font(file)
        return {character for character in missing if font.get_char_index(ord(character))}

    families = list(rcParams["font.family"])
    missing = {character for character in characters if character not in "\n\r\t "}
    missing -= characters_in(font_manager.findfont(font_manager.FontProperties()))
    for font in font_manager.fontManager.ttflist:
        is_plain = font.style == "normal" and font.weight == 400
        if missing and is_plain and not font.name.startswith("Last Resort"):  # draws boxes
            found = characters_in(font.fname)
            families += [font.name] if found else []
            missing -= found
    return families, missing


def _mistakes_figure(plt, X, y, predicted, confidence, labels, name_of):
    """Return the figure of the confusion matrix and, if there are any, the surest mistakes."""
    wrong = np.flatnonzero(predicted != y)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][: _N_ROWS * _MAX_COLUMNS]
    side = min(12, 3.5 + 0.35 * len(labels))
    n_columns = -(-len(surest) // _N_ROWS)
    width = 1.7 * n_columns
    figure = plt.figure(figsize=(side + width, side), layout="constrained")
    left = figure.subfigures(1, 2, width_ratios=[side, width])[0] if width else figure
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
    if width:
        names = [(name_of[y[i]], name_of[predicted[i]]) for i in surest]
        _draw_mistakes(
            figure.subfigs[1].subplots(_N_ROWS, n_columns, squeeze=False), X[surest], names
        )
        figure.subfigs[1].suptitle("Surest mistakes:\nlabel, prediction")
    return figure


def _draw_mistakes(axes, images, names):
    """Draw images, each with its label and its prediction."""
    from ..plotting._sheets import show_colors

    for ax in axes.flat:
        ax.set_axis_off()
    for ax, image, (label, prediction) in zip(axes.flat, images, names):
        if image.shape[2:] == (3,):
            show_colors(ax, image)
        else:
            ax.imshow(image.reshape(*image.shape[:2], -1).mean(axis=2), cmap="gray")
        ax.set_title(f"{label},\n{prediction}", fontsize=8)
