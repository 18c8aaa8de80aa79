"""The toy benchmark: a rendered world of simple things that move in telling ways.

world (what moves where) -> render (pixels) -> appearance (another camera, downstream only)
-> files (real .mp4, .avi and .webm files, with a few broken ones among them)

Everything is a pure function of (seed, clip number) up to the last step.
"""
