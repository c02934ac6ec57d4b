"""`gazecrop batch`, in parts: what is read (sources), what is done (work), where it runs (local, cluster), what is
kept (results)."""
