"""The networks that this project trained, and their model cards. This package has no code."""
