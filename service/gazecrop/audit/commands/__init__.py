"""What `gazecrop audit NAME` runs."""
