"""What the lint rules and the documentation know of C source text."""

import functools
import os
import re

CODE_SUFFIXES = (".c", ".h", ".cc", ".S")


def files(root, folders, suffixes=CODE_SUFFIXES):
    """Paths below root/folder, relative to root, in a fixed order."""
    found = []
    for folder in folders:
        for base, dirs, names in os.walk(os.path.join(root, folder)):
            dirs[:] = sorted(d for d in dirs
                             if d not in (".git", "build", "__pycache__"))
            for name in sorted(names):
                if name.endswith(suffixes):
                    path = os.path.join(base, name)
                    found.append(os.path.relpath(path, root))
    return found


def text_of(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


class Source:
    """A file as lines, once as code alone and once as comments alone.

    Both have the shape of the text: what belongs to the other is blank, so
    that lines and columns agree. The inside of strings is blank in both.
    """

    TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'
                       r"|'(?:\\.|[^'\\\n])+'", re.S)

    def __init__(self, root, path):
        self.path = path
        self.text = text_of(root, path)
        code, comments, end = [], [], 0
        for m in self.TOKEN.finditer(self.text):
            between = self.text[end:m.start()]
            code.append(between)
            comments.append(self.blank(between))
            token, end = m.group(), m.end()
            if token[0] == "/":
                code.append(self.blank(token))
                comments.append(token)
            else:
                code.append(token[0] + self.blank(token[1:-1]) + token[-1])
                comments.append(self.blank(token))
        code.append(self.text[end:])
        self.lines = self.text.split("\n")
        self.code_text = "".join(code)
        self.code = self.code_text.split("\n")
        self.comments = "".join(comments).split("\n")
        self.comments += [""] * (len(self.code) - len(self.comments))

    @staticmethod
    def blank(text):
        return re.sub(r"[^\n]", " ", text)

    @functools.cache
    def functions(self):
        """(name, first line, last line), counted from 0, of each function.

        A function's body stands between a { and a } in the first column.
        """
        found, start = [], None
        for i, line in enumerate(self.code):
            if line.startswith("{"):
                start = i
            elif line.startswith("}") and start is not None:
                found.append((self.name_before(start), start, i))
                start = None
        return found

    def name_before(self, line):
        """The name of the function whose { opens this line."""
        head = []
        for i in range(line - 1, -1, -1):
            text = self.code[i]
            if not text.strip() or re.search(r"[;}]\s*$", text) or \
                    text.startswith("#"):
                break
            head.insert(0, text)
        text = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", " ".join(head))
        m = re.search(r"(\w+)\s*\(", text)
        return m.group(1) if m else "?"

    @functools.cache
    def macros(self):
        """(name, first line, last line) of each #define of several lines."""
        found, i = [], 0
        while i < len(self.code):
            m = re.match(r"#\s*define\s+(\w+)", self.code[i])
            start = i
            while m and self.lines[i].endswith("\\") and \
                    i + 1 < len(self.code):
                i += 1
            if m:
                found.append((m.group(1), start, i))
            i += 1
        return found

    def function_at(self, line):
        """The function or macro that a line (from 0) belongs to, or ""."""
        for name, start, end in self.functions() + self.macros():
            if start <= line <= end:
                return name
        return ""

    def statement_start(self, line):
        """The first line of the statement that a line belongs to."""
        while line > 0 and self.code[line - 1].strip() and \
                not re.search(r"([;{}:)]|\belse|\bdo)\s*$",
                              self.code[line - 1]) and \
                not self.code[line - 1].startswith("#"):
            line -= 1
        return line

    def statement_comments(self, first, last):
        """The comments that speak of the lines first..last: those directly
        above them or above the statement they belong to, and those on these
        lines; each as a list of lines."""
        start = self.statement_start(first)
        text = self.above(start)
        if start != first:
            text += self.above(first)
        return text, self.comments[start:last + 1]

    def above(self, line):
        found = []
        i = line - 1
        while i >= 0 and self.comments[i].strip() and \
                not self.code[i].strip():
            found.insert(0, self.comments[i])
            i -= 1
        return found


@functools.cache
def source_of(root, path):
    """The Source of a file; no file changes while rules are asked."""
    return Source(root, path)


def comment_words(lines):
    """The text of comment lines, without the signs that make it a comment."""
    text = " ".join(lines)
    text = re.sub(r"//|/\*|\*/|\\(?=\s|$)|(?<=\s)\*(?=\s)", " ", text)
    return re.sub(r"\s+", " ", text).strip()
