"""Pictures that this project made (see paint.py): data only."""
