"""What programs may ask of the server over HTTP, with the same limits and the same network as the pages.

Only `questions` loads torch, and it is loaded when a request first needs it: the server answers before.
"""
