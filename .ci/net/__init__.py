"""Generated models whose inference form is known, and an evaluator; see ../generated.py.

Nothing here shares code with the tool, or knows how the tool recognizes dropout. The meaning of dropout
is written down twice: as training graphs (`sites.py`) and as what each of them is at inference.
"""
