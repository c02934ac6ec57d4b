"""The networks that the service loads, and how they came to be (see README.md)."""
