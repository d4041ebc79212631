"""The methods: `fast`, `refine` and `compare`."""
