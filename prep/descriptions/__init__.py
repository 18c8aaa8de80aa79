"""Sentences that describe classes: asked of a language model, imported, checked, kept.

::

    a class list -> prompts -> asking (cache) -> answers ---+
                                                            +--> lint -> store: <kind>-<n>.json
    a published file {"id": [sentences]} -> published ------+
"""
