"""Inputs of the studies: labelled portraits, drawn people, transformed pictures, and their saliency maps."""
