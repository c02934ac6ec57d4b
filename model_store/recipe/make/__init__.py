"""The stages that make the shipped network, in the order of `run.py`."""
