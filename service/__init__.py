"""Gazecrop's server: what a request touches, and nothing else. Read `pipeline.py` first."""

import os

__version__ = "0.1.0"

# onnxruntime 1.31 for Linux otherwise reports its use to its maker over the network, from its import on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
