"""Short trainings beside each other: what one part of a network brings, measured with several seeds and an interval."""
