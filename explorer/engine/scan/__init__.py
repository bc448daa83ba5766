"""What a network does over a whole data set, reduced in one pass: the value, its file, and how it is made."""
