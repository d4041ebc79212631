"""The loss of `refine`: the objective, its terms on activations and pixels, regions, targets, and tiles."""
