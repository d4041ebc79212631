"""The total loss of a picture: content, style, and losses of pixels alone."""
