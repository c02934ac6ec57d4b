"""The stages that only measure: scores, comparisons, ablations. They do not change the shipped network."""
