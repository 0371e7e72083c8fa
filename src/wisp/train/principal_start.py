"""Heads of product levels start at the principal components of what they see, the first groups with the first ones.

A random projection of photographs is nearly one number: the mean brightness outweighs all else, every channel
carries it, and hundreds of steps pass before the later groups of a product quantizer say anything new. The leading
principal components of the features, which at the start are a random projection of the pixels, are different from the
first step on, and in the order in which groups matter (Jegou et al. 2011 rotate by them for product quantization).
Amplitudes are the fourth root of the variances: between pixels' own proportions and all equal.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wisp.train.dataset import CropSampler
from wisp.train.layers import bend
from wisp.train.networks import LatentHead, TokenPyramid

BATCHES = 8


@torch.no_grad()
def start_at_principal_components(model: TokenPyramid, sampler: CropSampler) -> None:
    """Set the last convolution of the coarsest head from a few batches, if it is that of a product level."""
    if model.config.kinds[0] != "product":
        return
    head, device = model.heads[0], next(model.parameters()).device
    assert isinstance(head, LatentHead)
    seen = [model.analysis(sampler.batch().to(device))[0] for _ in range(BATCHES)]
    features = torch.cat([bend(head.mix(x)).permute(0, 2, 3, 1).flatten(0, 2) for x in seen]).double()
    features = features - features.mean(0)
    values, vectors = torch.linalg.eigh(features.T @ features / len(features))
    channels = model.config.latent_channels[0]
    leading = vectors.flip(1)[:, :channels].T
    deviations = values.flip(0)[:channels].clamp(min=1e-12).sqrt()
    set_middle(head.out, (leading / deviations.sqrt()[:, None]).float())


def set_middle(layer: nn.Conv2d, matrix: Tensor) -> None:
    """A convolution whose middle tap is `matrix` (out, in), without neighbours and bias."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    layer.weight[:, :, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = matrix
