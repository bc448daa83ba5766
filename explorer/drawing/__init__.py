"""From arrays to pixels: ranges, colour maps, sheets, overlays, colour bars and figures for download."""
