"""Many results as the paper's tables: `python -m train.report RESULTS... --out DIR`.

::

    result.json … -> Entry: a row, its columns, a seed (entries.py)
                       row: which published row it is, and how it departs from it (labels.py)
                       column: on what it was trained and tested, and how (columns.py)
                  -> tables 2 to 5 (tables.py), 8 (cost.py)
                     means over sets: tables 6 and 7, figure 1 (means.py)
                  -> report.md, report.html, one CSV a table (pages.py, plots.py)

Figures share a cell only when nothing that decides them differs but the seed, and a column only
when they were tested on the same clips, among the same classes, in the same views. What
departs has a row or column of its own that says how.
"""
