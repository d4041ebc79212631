"""The networks: their files on this machine, the feature encoder, and the stylizers."""
