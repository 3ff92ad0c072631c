"""The matrix: which circumstances are run, and how often."""

import dataclasses

# Little is kept, and everything that is timed happens.
CONF = "purge_delay=5,purge_budget=256k"


@dataclasses.dataclass
class Cell:
    """One process: options of cell.c, configuration, environment."""
    name: str
    threads: int
    steps: int
    switches: list
    conf: str = CONF
    env: dict = dataclasses.field(default_factory=dict)
    every: int = 64


# How the library is served, and what the system does.
#	name: (switches, LANEMALLOC_CONF, environment)
MODES = {
    "mm_cid": (["--reclaimer"], CONF, {}),
    "cpu_id": (["--reclaimer"], CONF + ",index=cpu_id", {}),
    "direct": ([], CONF + ",rseq=off", {}),
    "libc-off": ([], CONF, {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}),
    "no-fence": (["--no_fence", "--reclaimer"], CONF, {}),
    "fence-fails": (["--fence_fails", "--hasty=500"],
                    "purge_delay=1000,purge_budget=256k", {}),
    "hasty": (["--hasty=20000", "--reclaimer", "--purgers"],
              "purge_delay=40000,purge_budget=256k", {}),
    # A walk over the stack at each call would be most of what it does.
    "checks": ([], CONF + ",checks=on,check_stacks=0,usable=requested", {}),
    "stacks": ([], CONF + ",checks=on", {}),
    "hardened": ([], CONF + ",hardened=1", {}),
    "small": (["--reclaimer", "--purgers"],
              "purge_delay=1,purge_budget=0,cpu_cache=64k,index=cpu_id", {}),
    "kept": (["--reclaimer"], "hugepage=auto,purge_delay=1000", {}),
    "refuse": (["--refuse"], CONF, {}),
    "refuse-hardened": (["--refuse"], CONF + ",hardened=1", {}),
    "limit": (["--limit=450"], CONF, {}),
    "profile": (["--reclaimer", "--profiles"], CONF + ",profile_interval=4k",
                {}),
    "guard": (["--reclaimer", "--looks"],
              CONF + ",guard=2,profile_interval=2k,guard_slots=64", {}),
    "marks": (["--reclaimer", "--looks"], CONF + ",checks=fast", {}),
    "limits": (["--reclaimer", "--limits"], CONF, {}),
    "pressure": (["--reclaimer", "--pressure"], CONF + ",pressure=on", {}),
}
STORMS = {
    "": [],
    "affinity": ["--affinity"],
    "late": ["--late"],
    "both": ["--affinity", "--late"],
}
# Modes without ids of CPUs, in which late ones are nothing of their own.
NO_IDS = ("direct", "libc-off", "checks", "stacks")


def cell(mode, threads, storm, steps):
    switches, conf, env = MODES[mode]
    name = "%s, %d threads%s" % (mode, threads, storm and ", " + storm)
    return Cell(name, threads, steps, switches + STORMS[storm], conf, env,
                EVERY.get(mode, Cell.every))


def quick():
    """All modes, storms and numbers of threads, each at least once."""
    return [cell(*args) for args in (
        ("mm_cid", 2, "both", 2500),
        ("mm_cid", 16, "", 4000),
        ("cpu_id", 16, "both", 4000),
        ("cpu_id", 256, "affinity", 8192),
        ("direct", 16, "affinity", 4000),
        ("direct", 64, "", 4096),
        ("libc-off", 2, "", 1000),
        ("no-fence", 16, "late", 2500),
        ("fence-fails", 16, "late", 2000),
        ("hasty", 16, "affinity", 2500),
        ("checks", 2, "", 1000),
        ("stacks", 2, "", 750),
        ("hardened", 16, "", 2000),
        ("small", 16, "both", 2000),
        ("kept", 16, "late", 2000),
        ("refuse", 16, "", 2000),
        ("refuse-hardened", 16, "affinity", 1000),
        ("limit", 16, "late", 2000),
        ("profile", 16, "both", 2000),
        ("guard", 16, "affinity", 2000),
        ("marks", 16, "late", 2000),
        ("limits", 16, "affinity", 2000),
        ("pressure", 16, "late", 2000),
    )]


# Modes that meet more sites a step, and whose cells have so much fewer steps:
# the direct path, caches so small that all of the load goes below them,
# samples and stacks.
STEPS_SHARE = dict.fromkeys(NO_IDS, 2) | {"small": 8, "profile": 2,
                                          "stacks": 4}
# A walk over a stack meets more than 64 sites: a signal's handler would be
# where the next signal comes, without end.
EVERY = {"stacks": 1024}
STEPS_LEAST = 16  # of each thread: ROUNDS


def full():
    """Everything with everything."""
    steps = {2: 3000, 16: 5000, 256: 8192}
    return [cell(mode, threads, storm,
                 max(STEPS_LEAST * threads,
                     steps[threads] // STEPS_SHARE.get(mode, 1)))
            for mode in MODES for threads in steps for storm in STORMS
            if not ("late" in storm and mode in NO_IDS) and storm != "both"]


def control(name):
    """The quick cells; for a fault of the drain those that revoke it."""
    if name.startswith("drain"):
        return [c for c in quick() if c.name.startswith("hasty")] * 3
    return quick()
