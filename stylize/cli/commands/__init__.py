"""The commands, one file each; what a picture needs is imported inside them."""
