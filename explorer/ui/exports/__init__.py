"""Downloads: pictures, tables, arrays, figures for print, and Python programs."""
