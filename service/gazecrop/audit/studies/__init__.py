"""The measurements: one file a study, and the statistics that they share."""
