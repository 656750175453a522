"""Joint frequencies of pairs of pixels, from their lowest common ancestor down."""

import numpy as np

from ._statistics import seen_frequencies


def pair_frequencies(model, level, pixel):
    """Compute P(pixel is a, another pixel is b) for all pixels of a level, after symbol noise.

    Above the lowest common ancestor, both pixels have one ancestor. Given the classes of two
    different pixels, the pixels below them are independent.

    Returns
    -------
    joint : ndarray of shape (height, width, n_classes, n_classes)
    """
    ancestors = [pixel]
    for rules in reversed(model.rules[:level]):
        (row, column), (p, q) = ancestors[0], rules.patch_size
        ancestors.insert(0, (row // p, column // q))
    root = model.root
    one_hot = np.eye(model.channels[0].n_drawn)[root.images]
    own = one_hot[:, *ancestors[0]] * root.probabilities[:, None]
    joint = np.einsum("na,nhwb->hwab", own, one_hot)
    joint = _with_noise(joint, ancestors[0], model.channels[0])
    for i, rules in enumerate(model.rules[:level]):
        channel = model.channels[i + 1]
        joint = _one_level_down(joint, rules, channel.n_drawn, *ancestors[i : i + 2])
        joint = _with_noise(joint, ancestors[i + 1], channel)
    return joint


def _one_level_down(joint, rules, n_next, parent, pixel):
    """Compute the joint frequencies of a pixel's child and all pixels of the next level."""
    (height, width), (p, q) = joint.shape[:2], rules.patch_size
    place = pixel[0] % p, pixel[1] % q
    tables = rules.class_frequencies(n_next)
    joint_of_child = joint.swapaxes(2, 3) @ tables[:, :, *place]  # (h, w, class, class of child)
    below = np.einsum("hwca,cbuv->huwvab", joint_of_child, tables, optimize=True)
    p_parent = np.diagonal(joint[parent])
    siblings = rules.pair_frequencies(p_parent, place, n_next)
    below[parent[0], :, parent[1]] = siblings.transpose(2, 3, 0, 1)
    return below.reshape(height * p, width * q, n_next, n_next)


def _with_noise(joint, pixel, channel):
    """Return joint frequencies after symbol noise, which is independent at different pixels."""
    if not channel.is_noisy:
        return joint
    p = np.diagonal(joint[pixel])
    joint = seen_frequencies(seen_frequencies(joint, channel, axis=2), channel, axis=3)
    joint[pixel] = np.diag(seen_frequencies(p, channel, axis=0))
    return joint
