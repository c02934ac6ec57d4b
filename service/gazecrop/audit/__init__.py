"""`gazecrop audit`: whom the crops favour, how steady they are, and what a switch of network would move.

After Yee, Tantipongpipat and Mishra 2021 (arXiv 2105.08667). Read `studies/pairs.py` first: pictures of people,
joined two by two, through the network that serves. `command.py` is the way in from the command line.
"""
