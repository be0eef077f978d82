"""A flat export: one row per lead, attributes and a yes or no, no dates.

`table` reads it, `answers` says who said yes, `lessons` what there is to learn, `columns` makes a matrix, `learn` fits
and judges, `bundle` is what stays, `score` makes the list; `steps` goes the whole way, and `shelf` holds the bundles.
"""
