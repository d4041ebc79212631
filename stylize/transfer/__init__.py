"""The three methods, fast, refine and compare, on pictures that were read; and what they return."""
