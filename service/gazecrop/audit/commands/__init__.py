"""The commands of `gazecrop audit`, one file a command; `people.py` has the four on labelled portraits."""
