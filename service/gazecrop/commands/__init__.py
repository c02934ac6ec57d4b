"""The commands `gazecrop NAME`: one module each, with `main(argv) -> exit status`."""
