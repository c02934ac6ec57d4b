"""`gazecrop doctor`: what it checks and in which order (command), the sources of pictures by URL (sources), the worker
(worker)."""
