"""Frames out of raw video files, ready for a shard: what is stored, and what is refused and why.

``clip_outcomes`` in ``outcomes.py`` is the door; ``README.md`` beside this file tells the rules.
"""
