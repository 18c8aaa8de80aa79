"""A set of shards as a Hugging Face dataset repository: its files, card and metadata.

::

    contents.py    what of a set goes along, with lengths and hashes as the set's own records say
    card.py        README.md: header.py's YAML block over words for people
    croissant.py   croissant.json: the same for programs
    target.py      the folder it goes into, and whether it may
    placing.py     hard links, or copies where the file system has none
"""
