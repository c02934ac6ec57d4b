"""What `gazecrop NAME` runs: one module per command, each with `main(argv) -> exit status`, imported when asked."""
