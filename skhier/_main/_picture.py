"""The picture that the main job leaves behind."""


def draw_picture(classifier, image, path):
    """Draw the centroids of the first layer and one image through all layers."""
    try:
        import matplotlib
    except ImportError:
        print("\nNo picture: matplotlib is not installed (pip install 'skhier[plot]').")
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from ..plotting import CentroidsDisplay, LayersDisplay

    n_stages = 1 + sum(1 + (block.embedder is not None) for block in classifier.layers_)
    figure = plt.figure(figsize=(2.8 * n_stages, 6.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, hspace=0.04)
    top.suptitle("What the first layer looks for: centroids of whitened patches")
    bottom.suptitle("One held-out image through the layers (strongest channels)")
    display = CentroidsDisplay.from_estimator(
        classifier.layers_[0].orthogonalizer, ax=top.subplots()
    )
    display.ax_.set_title("")
    axes = bottom.subplots(1, n_stages, gridspec_kw={"wspace": 0.1})
    LayersDisplay.from_estimator(classifier, image, axes=axes)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"\nPicture: {path}")
