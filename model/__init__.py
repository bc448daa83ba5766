"""What is explained: networks, data, training and checkpoints. Knows nothing of the explorer."""

from model import torchvision_repair

torchvision_repair.repair()
