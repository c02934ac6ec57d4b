"""`gazecrop batch`: the work on each picture (work), on this machine (local) or a Ray cluster (cluster), and the files
of results (results, tables)."""
