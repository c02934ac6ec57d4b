"""Gazecrop's server: what a request touches, and nothing else. Read `pipeline.py` first."""

__version__ = "0.1.0"
