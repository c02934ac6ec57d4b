"""The measurements: one file a study, and the statistics they share."""
