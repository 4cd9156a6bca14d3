"""What only long or crowded runs show: `make soak`, `make attack`, `make crowd`; their short forms are tests."""
