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
from wisp.train.networks import LatentHead
from wisp.train.pyramids import PyramidNetwork

BATCHES = 8


@torch.no_grad()
def start_at_principal_components(model: PyramidNetwork, sampler: CropSampler) -> None:
    """Set the last convolution of a head from a few batches: of the coarsest, if it is that of a product level; of
    all heads, if the model is routed, since a latent of few channels has no room for the same thing twice.
    """
    is_routed = model.config.grain == "routed"
    if not is_routed and model.config.kinds[0] != "product":
        return
    device = next(model.parameters()).device
    seen = [model.analysis(sampler.batch().to(device)) for _ in range(BATCHES)]
    for level, head in enumerate(model.heads if is_routed else model.heads[:1]):
        assert isinstance(head, LatentHead)
        flat = [bend(head.mix(x[level])).permute(0, 2, 3, 1).flatten(0, 2) for x in seen]
        features = torch.cat(flat).double()
        features = features - features.mean(0)
        values, vectors = torch.linalg.eigh(features.T @ features / len(features))
        channels = model.config.latent_channels[level]
        leading = vectors.flip(1)[:, :channels].T
        deviations = values.flip(0)[:channels].clamp(min=1e-12).sqrt()
        set_middle(head.out, (leading / deviations.sqrt()[:, None]).float())


def set_middle(layer: nn.Conv2d, matrix: Tensor) -> None:
    """A convolution whose middle tap is `matrix` (out, in), without neighbours and bias."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    layer.weight[:, :, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = matrix
