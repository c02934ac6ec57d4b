"""What only measures: scores, comparisons, ablations. Nothing here changes the shipped network."""
