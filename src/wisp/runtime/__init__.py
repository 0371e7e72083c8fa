"""Networks and model bundles. The only room that imports onnxruntime; it knows no tokens and no files' bytes."""

from wisp.runtime.bundle import (
    ANALYSIS_NAME,
    CONFIG_NAME,
    DISTANCE_NAME,
    FORECAST_NAME,
    GRAIN_NAME,
    PRIOR_NAME,
    SEARCH_NAME,
    Bundle,
)
from wisp.runtime.bundle_config import SHARED_NAME, BundleConfig
from wisp.runtime.differences import DIFFERENCE_SUFFIX, make_difference
from wisp.runtime.locate import find_bundle, installed_bundles
from wisp.runtime.sessions import Network, default_threads, settle_threads

__all__ = [
    "ANALYSIS_NAME",
    "CONFIG_NAME",
    "DIFFERENCE_SUFFIX",
    "DISTANCE_NAME",
    "FORECAST_NAME",
    "GRAIN_NAME",
    "PRIOR_NAME",
    "SEARCH_NAME",
    "SHARED_NAME",
    "Bundle",
    "BundleConfig",
    "Network",
    "default_threads",
    "find_bundle",
    "installed_bundles",
    "make_difference",
    "settle_threads",
]
