"""The networks that a recipe can ask for, and which one it does."""

from __future__ import annotations

from wisp.train.networks import TokenPyramid
from wisp.train.recipe import ModelConfig
from wisp.train.routed_networks import RoutedPyramid

PyramidNetwork = TokenPyramid | RoutedPyramid


def new_network(config: ModelConfig) -> PyramidNetwork:
    """An untrained network of a shape."""
    return RoutedPyramid(config) if config.grain == "routed" else TokenPyramid(config)
