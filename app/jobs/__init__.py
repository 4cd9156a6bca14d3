"""Long computations: each with its factory and its cache key side by side; nothing here draws."""
