"""Sizes: files, functions, lines; and no blanks at the end of a line."""

import source

FOLDERS = ["src", "include", "tests", "stress"]
FILE_LINES_MOST = 600
FUNCTION_LINES_MOST = 60
COLUMNS_MOST = 80


def check(root):
    errors = []
    for path in source.files(root, FOLDERS):
        src = source.source_of(root, path)
        nr_lines = src.text.count("\n")
        if nr_lines > FILE_LINES_MOST:
            errors.append("%s: %d lines, %d are allowed"
                          % (path, nr_lines, FILE_LINES_MOST))
        if src.text and not src.text.endswith("\n"):
            errors.append("%s: no newline at the end" % path)
        for name, start, end in src.functions():
            if end - start - 1 > FUNCTION_LINES_MOST:
                errors.append("%s:%d: %s() has %d lines, %d are allowed"
                              % (path, start + 1, name, end - start - 1,
                                 FUNCTION_LINES_MOST))
        for i, line in enumerate(src.lines):
            if len(line.expandtabs(8)) > COLUMNS_MOST:
                errors.append("%s:%d: %d columns, %d are allowed"
                              % (path, i + 1, len(line.expandtabs(8)),
                                 COLUMNS_MOST))
    return errors
