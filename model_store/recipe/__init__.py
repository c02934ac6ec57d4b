"""The recipe: one linear file per stage, run in order by run.py. Nothing outside it imports torch."""
