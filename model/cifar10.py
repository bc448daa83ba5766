"""What CIFAR-10's labels mean, and its training images' mean and standard deviation (fractions of 255)."""

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)

COURSE_MEAN, COURSE_STD = MEAN, (0.2023, 0.1994, 0.2010)
"""What the course's own script normalizes with; this standard deviation is not that of all pixels."""
