"""What each page gives away: the pictures and numbers that it shows, and how to come to them in Python.

One module a page; each ends in a fold that puts its offer together once it is open.
"""
