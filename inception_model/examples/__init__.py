"""Dataset examples: for every channel the images of a data set that answer it most, and how strong answers are there.

`building.build_index` looks at every image once (forward and backward, about 100 ms of a core) and writes Parquet into
a folder; `index.load_index` reads it, `compact` keeps of it what fits beside the weights: ids and numbers, no pixels.
"""
