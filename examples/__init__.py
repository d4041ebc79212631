"""Example pictures that this project painted, see paint.py. Only the pictures are used at run time."""
