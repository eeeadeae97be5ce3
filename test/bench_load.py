"""What bench.py and bench_cgi.py share: a server, and rounds in which
everybody has a turn."""
import contextlib
import os
import pathlib
import statistics

import harness

ROUNDS, SECONDS = (3, 1) if os.environ.get("QUICK") == "1" else (7, 2)
CONNECTIONS = 8
MODULE = pathlib.Path(os.environ.get("BENCH_MODULE") or harness.MODULE)
OURS = f"LoadModule process_security_module {MODULE}\n"

# Many more than there are connections: none starts or ends meanwhile.
PROCESSES = "StartServers 32\nMinSpareServers 1\nMaxSpareServers 200\n"
THREADS = ("StartServers 2\nThreadsPerChild 16\nMaxRequestWorkers 32\n"
           "MinSpareThreads 1\nMaxSpareThreads 32\n")
ALL = "MaxKeepAliveRequests 0\nMaxConnectionsPerChild 0\n"
MPMS = {"prefork": PROCESSES, "worker": THREADS, "event": THREADS}


class Stop(Exception):
    """Why there is nothing to compare, in a sentence."""


@contextlib.contextmanager
def running(folder, mpm, config, main_config="", modules=(), size=None):
    httpd = harness.Httpd(folder, mpm, config, modules=modules, load=False,
                          main_config=main_config + ALL + (size or MPMS[mpm]))
    try:
        with httpd:
            yield httpd
    finally:
        httpd.stop()  # also when it started, but did not listen


def check_answer(httpd, name, path, body):
    answer = httpd.get(path, "bench")
    if answer.status != 200 or answer.text != body:
        raise Stop(f"{httpd.mpm}, {name}: wrong answer to {path}: "
                   f"{answer.status}, {answer.text[:60]!r}\n{httpd.log()}")
    return answer


def interleave(turns):
    """{name: [what its function said, for each round]}; each round begins
    with the next name."""
    said = {name: [] for name in turns}
    names = list(turns)
    for n in range(ROUNDS):
        first = n % len(names)
        for name in names[first:] + names[:first]:
            said[name].append(turns[name]())
    return said


def figures(rounds):
    """What a table shows of the rounds of one."""
    rps = [t["rps"] for t in rounds]
    return {"median": statistics.median(rps), "min": min(rps),
            "max": max(rps), "rounds": rounds}


def compared(rounds, others, target=None):
    """With another's, round by round."""
    ratio = statistics.median(t["rps"] / o["rps"]
                              for t, o in zip(rounds, others))
    return {"ratio": ratio, "target": target,
            "verdict": ("-" if target is None else
                        "ok" if ratio >= target else "missed")}


@contextlib.contextmanager
def lasting(servers):
    """None of the children of these {name: httpd} ends meanwhile."""
    before = {name: set(httpd.children()) for name, httpd in servers.items()}
    yield
    for name, httpd in servers.items():
        if not before[name] <= set(httpd.children()):
            raise Stop(f"{httpd.mpm}, {name}: a child ended: {before[name]}, "
                       f"{httpd.children()}\n{httpd.log()}")
