"""The recipe: one linear file per stage, run in order by run.py. torch lives here and nowhere else."""
