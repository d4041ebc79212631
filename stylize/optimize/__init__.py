"""The optimisation of pixels: the optimisers, the pyramid of sizes, and the loop over its levels."""
