"""`gazecrop audit`: fairness and stability of the crops, and the effect of changing the network or its settings.

After Yee, Tantipongpipat and Mishra 2021 (arXiv 2105.08667). Start reading at `studies/pairs.py`: pictures of people
are joined in pairs and analysed by the served network. `command.py` is the entry point of the command line.

Imports point one way: commands -> people_audit -> report -> studies -> material.
"""
