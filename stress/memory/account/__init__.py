"""The parts of memory.py that are not the benchmark's, from the bottom up.

    series    what the watcher wrote, and the figures of one run
    work      the cells of a form, and one run of one of them
    tables    the tables of the report
    pictures  memory over time
"""
