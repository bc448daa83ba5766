"""Every attribution method over many images: the mean of each score, beside what chance gives."""
