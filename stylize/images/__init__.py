"""Pictures: reading, writing, resizing, colours, masks, and their provenance."""
