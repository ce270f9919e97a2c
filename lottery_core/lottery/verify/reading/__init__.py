"""From the text of a record to plain values: how it has to be spelled (`strict`, `rows`), and what stands in it (`shape`).

Nothing in here says whether a record is true; nobody needs to read it to see how that is found out.
"""
