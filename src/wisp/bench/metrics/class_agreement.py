"""Does a classifier still see the same things?

Range 0..1 in steps of 0.2; higher is better, 1 for equal pictures. Computed on sRGB in 0..1 with Darknet "Tiny",
a network of 1000 ImageNet classes. Protocol: each picture goes through the network whole and at its own size,
neither cropped nor scaled; the logits are averaged over all positions; the value is the share of the original's
five highest classes that are among the decoded picture's five highest, in any order. What the picture really
shows is not asked: only whether coding changed the network's mind. On one picture the value may well step up and
down as damage grows; its mean over many is what tells. Source: none published in this form; the usual top-5 of
ImageNet (Russakovsky et al., "ImageNet large scale visual recognition challenge", IJCV 2015, section 4.1) with the
original's answer in place of the label.
"""

from __future__ import annotations

from wisp.bench.metrics.darknet_tiny import AbstractDarknetMetric
from wisp.bench.metrics.metric import Comparison, Direction, Picture

_NUM_CLASSES = 5


class ClassAgreement(AbstractDarknetMetric):
    """Share of the original's top-5 classes that survive."""

    name = "class_agreement"
    direction = Direction.HIGHER

    @property
    def version(self) -> str:
        return f"top-{_NUM_CLASSES} {super().version}"

    def prepare(self, original_u8: Picture) -> Comparison:
        original = self.top_classes(original_u8)
        return lambda decoded_u8: len(original & self.top_classes(decoded_u8)) / _NUM_CLASSES

    def top_classes(self, picture_u8: Picture) -> frozenset[int]:
        """The five highest classes of an (H, W, 3) uint8 picture, in Darknet's numbering."""
        scores = self._network.class_scores(self._network.response(picture_u8))
        return frozenset(scores.topk(_NUM_CLASSES).indices.tolist())
