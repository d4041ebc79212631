"""Many pictures: what to paint, the workers that paint, and the manifest of what was painted."""
