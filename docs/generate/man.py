"""The pages lanemalloc(7) and lanemalloc.conf(5), out of the same tables as the
code's: what stands around them is here."""

import re


def escape(text):
    """Text as roff has it; `word` in bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fP", text)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def paragraphs(text):
    return "\n.PP\n".join(escape(p) for p in text.strip().split("\n\n")) + "\n"


def item(head, text):
    return ".TP\n%s\n%s\n" % (escape(head), escape(text))


def page(name, section, note, what, parts):
    out = '.\\" %s.TH %s %d "" lanemalloc\n' % (note, name, section)
    out += ".SH NAME\n%s \\- %s\n" % (escape(name), escape(what))
    for head, body in parts:
        out += ".SH %s\n%s" % (head, body)
    return out


def example(lines):
    return ".PP\n.nf\n%s.fi\n" % "".join(
        "    %s\n" % escape(line) for line in lines)


def option_items(rows):
    out = ""
    for name, values, default, words in rows:
        default = ", by default %s" % default if default else ""
        out += item("%s: %s%s" % (name, values, default), words)
    return out


OVERVIEW = """
lanemalloc is a malloc for Linux in which no thread ever waits for another one.
A program gets it by preloading the library, or by linking it; malloc, free and
their family, and C++'s new and delete, are its own then.

Nothing has to be configured. Options come from the file `/etc/lanemalloc.conf`
and from the environment variable `LANEMALLOC_CONF`, read once when the program
starts; they are listed in lanemalloc.conf(5).
"""

ENVIRONMENT = """
key=value,key=value,... without spaces; `@path` in the list stands for a file of
such options, one a line. What comes later counts, and all of it over
`/etc/lanemalloc.conf`. It is ignored in setuid programs. An unknown key, or a
value that is refused, costs one line of warning on standard error.
"""

STATISTICS = """
With `stats=1` they are printed at exit; `stats_file` and `stats_signal` write
them elsewhere and at other times. A program calls lanemalloc_stats(),
lanemalloc_stats_classes(), lanemalloc_stats_cpus(), or one of
lanemalloc_stats_json(), lanemalloc_stats_detail_json() and
lanemalloc_stats_prometheus(); mallinfo2(3) and malloc_info(3) work as well.
"""

PROFILES = """
`profile=1` samples allocations with their stacks and writes a profile at exit
that pprof reads; `profile_signal` switches a running program; `profile_leak`
tells at exit which stacks still hold memory. Tracers find the probes
otel_memory:alloc and otel_memory:free in the library's file, and turn sampling on
by attaching to them.
"""

DIAGNOSTICS = """
All messages go to standard error and begin with "lanemalloc: ". Misuse of the
heap (a block freed twice, a pointer that is none) ends the program with one line
and SIGABRT; `checks=full` sees nearly all of it. With `verbose=1` a program says
at its start how it is served, and why: mm_cid or cpu_id, with caches of CPUs, or
direct, without them.
"""

FORMAT = """
One `key = value` a line. Blanks around both are left out, lines that are empty or
begin with # are skipped; a line has at most 510 bytes, the file 64 KiB. Of two
values for one key the later counts, and the environment variable
`LANEMALLOC_CONF` over the file.

The same form have files that `@path` names in that variable; other files cannot
be named in a file.

Numbers take the suffixes k, m and g (powers of 1024). Switches take on and off, 1
and 0, true and false, yes and no. What is not understood is left out, with one
line of warning (at most ten a file).
"""

PRIVILEGED = """
Programs that run with more rights than who starts them (setuid, setgid, file
capabilities) read this file alone and not the environment. In them the options
that write files, `profile`, `profile_signal`, `stats_file` and `stats_signal`,
are off whatever the file says, since somebody else chose their directory.
"""


def seven(option_rows, statistics_rows, note):
    names = ", ".join(row[0].strip("`") for row in option_rows)
    return page("lanemalloc", 7, note, "a malloc that never waits", [
        ("SYNOPSIS", example(["LD_PRELOAD=liblanemalloc.so.1 program",
                              "cc ... -llanemalloc"])),
        ("DESCRIPTION", paragraphs(OVERVIEW)),
        ("ENVIRONMENT", item("`LANEMALLOC_CONF`", ENVIRONMENT.strip()) +
         ".PP\n" + escape("Keys: %s." % names) + "\n"),
        ("STATISTICS", paragraphs(STATISTICS) + "".join(
            item("%s (%s)" % (name, unit), words)
            for name, unit, words in statistics_rows)),
        ("PROFILES", paragraphs(PROFILES)),
        ("DIAGNOSTICS", paragraphs(DIAGNOSTICS)),
        ("FILES", item("`/etc/lanemalloc.conf`",
                       "options for all programs, lanemalloc.conf(5)")),
        ("SEE ALSO", escape("lanemalloc.conf(5), malloc(3), mallinfo(3), "
                            "malloc_info(3), ld.so(8)") + "\n"),
    ])


def conf_five(option_rows, note):
    return page("lanemalloc.conf", 5, note, "options of lanemalloc(7)", [
        ("SYNOPSIS", example(["/etc/lanemalloc.conf",
                              "LANEMALLOC_CONF=@file program"])),
        ("DESCRIPTION", paragraphs(FORMAT)),
        ("OPTIONS", option_items(option_rows)),
        ("PRIVILEGED PROGRAMS", paragraphs(PRIVILEGED)),
        ("EXAMPLE", example(["# give memory back within a tenth of a second",
                             "purge_delay = 100",
                             "cpu_cache = 1m"])),
        ("SEE ALSO", escape("lanemalloc(7)") + "\n"),
    ])
