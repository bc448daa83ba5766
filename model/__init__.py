"""What is explained: networks, data, training and checkpoints. Knows nothing of the explorer."""

from model import interrupt, torchvision_repair  # in this order: the second imports torch

__all__ = ["interrupt"]

torchvision_repair.repair()
