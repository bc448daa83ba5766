"""What each page gives away: the pictures and numbers that it shows, and how to come to them in Python.

One module a page; each ends in a fold that puts its offer together once it is open.
"""

from explorer.ui.offers.augmentation import augmented
from explorer.ui.offers.batchnorm import batch_norm
from explorer.ui.offers.compare import side_by_side, two_classes, two_networks
from explorer.ui.offers.explain import heat_maps
from explorer.ui.offers.maps import feature_maps
from explorer.ui.offers.time_machine import over_time
from explorer.ui.offers.training import runs

__all__ = [
    "augmented",
    "batch_norm",
    "feature_maps",
    "heat_maps",
    "over_time",
    "runs",
    "side_by_side",
    "two_classes",
    "two_networks",
]
