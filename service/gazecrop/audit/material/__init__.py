"""What the studies work on: labelled portraits, drawn people, transformed pictures, and the maps of them."""
