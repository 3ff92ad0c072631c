"""The parts of bench.py, from the bottom up.

    allocators  what can be preloaded, and the proof that it was
    cells       what is measured: loads and programs, times threads
    running     one run of one cell under one allocator
    store       the file of runs, which survives an interruption
    session     the rounds, their order, progress and budget
    figures     medians, ranges and ratios out of the runs
    judge       the aims, each met or missed
    report      the Markdown tables
    plots       the pictures, by gnuplot
    machine     where it ran and whether that was quiet
"""


class Fault(Exception):
    """Something that ends the program with one line and status 2."""
