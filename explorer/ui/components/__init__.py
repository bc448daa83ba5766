"""Components of our own: Python wrappers over html, css and js read at import."""
