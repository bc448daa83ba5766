"""What surrounds every page: menu, header, style, presentation, and the way back."""
