"""English texts: data files only."""
