"""Embedded networks, trained by this project, and their model cards: data only."""
