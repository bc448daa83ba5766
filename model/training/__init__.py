"""A training run: the loop, one step of it, what changes while it goes on, and what it prints."""
