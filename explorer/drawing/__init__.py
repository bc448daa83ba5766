"""From arrays to pixels: ranges, color maps, sheets, overlays, color bars and figures for download."""
