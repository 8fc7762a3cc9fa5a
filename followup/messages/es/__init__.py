"""Spanish texts: data files only."""
