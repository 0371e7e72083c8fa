"""Files made of one picture, kept while the bench asks for the same picture at other budgets."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from PIL import Image

from wisp.bench.pictures import picture_hash

Step = TypeVar("Step", bound=Hashable)
Made = TypeVar("Made")


class LastPicture(Generic[Step, Made]):
    """By the dial's step, what was made of the picture asked for last.

    A search that asks again for a step gets what was made before, so an answer depends on the picture and the
    budget alone and not on the budgets asked for earlier: only time is saved.
    """

    def __init__(self) -> None:
        self._picture_hash: str | None = None
        self._made: dict[Step, Made] = {}

    def remembering(
        self, image: Image.Image, make: Callable[[Image.Image, Step], Made]
    ) -> Callable[[Step], Made]:
        """`make` of that picture, called once a step.

        Args:
            image: 8-bit RGB picture; pictures of the same pixels are the same picture.
            make: makes the file of a step. It is given the picture without its metadata (colour profile,
                Exif), which Pillow would otherwise write into some formats' files and not into others'.
        """
        name = picture_hash(image)
        if name != self._picture_hash:
            self._picture_hash, self._made = name, {}
        made = self._made
        bare = image.copy()
        bare.info = {}

        def once(step: Step) -> Made:
            if step not in made:
                made[step] = make(bare, step)
            return made[step]

        return once
