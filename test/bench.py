"""`make bench`: what the module costs, in requests per second.

Private servers that serve the same 1 KB file, without the module and with it,
are asked by ab(1) in turns, so that all of them see the same machine. Each
turn begins and ends with a checked answer; a twin of each server, with
mod_who, tells who reads the file. bench_cgi.py does the like for scripts.
Prints tables, writes build/bench.json, and exits 1 if an answer or a log was
not as it must be, or a child ended.

QUICK=1          3 rounds of 1 s (scripts 0.6), not 7 of 2 s
BENCH_MUST=1     a missed target fails, too
BENCH_MPM="..."  of prefork, worker and event only these
BENCH_PART="..." of files and cgi only these
BENCH_MODULE=... another mod_process_security.so than this tree's
"""
import contextlib
import datetime
import functools
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from typing import NamedTuple

import bench_cgi
import bench_load
import harness
from bench_load import (CONNECTIONS, MODULE, MPMS, OURS, ROUNDS, SECONDS, Stop,
                        check_answer, compared, figures, interleave, lasting)
from harness import ALICE, Tenant, Who, put, put_folder, server_ids

AB = shutil.which("ab")
RESULT = harness.TOP / "build" / "bench.json"
PARTS = ("files", "cgi")


class Server(NamedTuple):
    """What its host says, folder and file (mode, owner), who reads them."""
    name: str
    extra: str = ""
    covered: bool = True
    folder: tuple = (0o755,)
    file: tuple = (0o644,)
    reads: Tenant = ALICE
    modules: tuple = ()

    @property
    def body(self):
        return (f"1 KB of {self.name} " * 1024)[:1024]


class Workload(NamedTuple):
    name: str
    options: tuple = ()
    path: str = "/1k.txt"


SERVERS = (  # the first is what the others are compared with
    Server("bare", covered=False, reads=server_ids()),
    Server("pinned", f"PSUserGroup {ALICE.ids}", folder=(0o700, ALICE),
           file=(0o600, ALICE)),
    Server("owner", "PSExAll On", file=(0o644, ALICE)),
)
WORKLOADS = (Workload("keep-alive", ("-k",)), Workload("connection each"))
TARGETS = {("keep-alive", "pinned"): 0.95,
           ("connection each", "pinned"): 0.85,
           ("keep-alive", "owner"): 0.75}


def running(folder, mpm, server, with_who=False):
    who = f"LoadModule who_module {harness.MOD_WHO}\n"
    return bench_load.running(
        folder, mpm, harness.vhost("bench", folder / server.name,
                                   server.extra),
        OURS * server.covered + who * with_who, server.modules)


def check_reader(httpd, server):
    """The id that files are opened with (the last of four) is the tenant's;
    the others are too, or all are the server's."""
    own, tenant = server_ids(), server.reads
    for path in [w.path for w in WORKLOADS] * CONNECTIONS:
        answer = check_answer(httpd, server.name, path, server.body)
        fields = Who(answer.headers.get("x-who", "")).fields
        for name, mine, hers in (("Uid", own.uid, tenant.uid),
                                 ("Gid", own.gid, tenant.gid)):
            ids = [int(n) for n in fields.get(name, "").split()]
            if ids not in ([hers] * 4, [mine] * 3 + [hers]):
                raise Stop(f"{httpd.mpm}, {server.name}: {path} was read as "
                           f"{name} {ids}, not as {hers}")


def ab_command(workload, port):
    return [AB, "-q", "-d", "-S", "-c", str(CONNECTIONS), "-t", str(SECONDS),
            "-n", "1000000", *workload.options, "-H", "Host: bench.test",
            f"http://127.0.0.1:{port}{workload.path}"]


def turn(httpd, server, workload):
    """One run of ab: its figures, and the part of a CPU that it took."""
    check_answer(httpd, server.name, workload.path, server.body)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(ab_command(workload, httpd.port), text=True,
                          check=False, capture_output=True, timeout=90)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    check_answer(httpd, server.name, workload.path, server.body)
    found = {name: float(number) for name, number in re.findall(
        r"^([\w -]+):\s+(\d+\.?\d*)(?!\S)", done.stdout, re.M)}
    complete = found.get("Complete requests", 0)
    kept = complete if "-k" in workload.options else 0
    if not complete or any(found.get(name, 0) != wanted for name, wanted in (
            ("Failed requests", 0), ("Non-2xx responses", 0),
            ("Write errors", 0), ("Keep-Alive requests", kept),
            ("Document Length", len(server.body)))):
        raise Stop(f"{httpd.mpm}, {workload.name}, {server.name}: ab says\n"
                   f"{done.stdout}{done.stderr}\n{httpd.log()}")
    cpu = sum(after[:2]) - sum(before[:2])
    return {"rps": found["Requests per second"],
            "ab_cpu": cpu / found["Time taken for tests"]}


def turns(workload, servers):
    return {server.name: functools.partial(turn, httpd, server, workload)
            for server, httpd in servers}


def measure(mpm, workload, servers):
    """Rows of the table."""
    said = interleave(turns(workload, servers))
    for name, rounds in said.items():
        yield {"mpm": mpm, "workload": workload.name, "server": name,
               **figures(rounds),
               **compared(rounds, said[SERVERS[0].name],
                          TARGETS.get((workload.name, name)))}


def bench_mpm(folder, mpm):
    for server in SERVERS:
        with running(folder, mpm, server, with_who=True) as twin:
            check_reader(twin, server)
    with contextlib.ExitStack() as stack:
        servers = [(server, stack.enter_context(running(folder, mpm, server)))
                   for server in SERVERS]
        for workload in WORKLOADS:
            for warm_up in turns(workload, servers).values():
                warm_up()
        with lasting({server.name: httpd for server, httpd in servers}):
            return [row for workload in WORKLOADS
                    for row in measure(mpm, workload, servers)]


def facts():
    version = subprocess.run([harness.httpd_binary(), "-v"], text=True,
                             check=True, capture_output=True).stdout
    settings = [f"{name}={value}" for name, value in os.environ.items()
                if name == "QUICK" or name.startswith("BENCH_")]
    return {"command": shlex.join([*settings, sys.executable, *sys.argv]),
            "load": shlex.join(ab_command(WORKLOADS[0], "PORT")),
            "rounds": f"{ROUNDS} of {SECONDS} s, {CONNECTIONS} connections",
            "machine": f"{' '.join(os.uname())}, nproc "
                       f"{len(os.sched_getaffinity(0))}",
            "httpd": version.splitlines()[0].partition(": ")[2],
            "module": str(MODULE),
            "date": str(datetime.datetime.now().astimezone())}


HEAD = """
MPM      workload         server  requests/s [min-max]  ratio  target"""
ROW = ("{mpm:7}  {workload:15}  {server:6}  {median:6.0f} [{min:5.0f}-"
       "{max:5.0f}]  {ratio:.3f}  {target:>6}  {verdict}")


def bench_files(folder, mpms, result):
    """Prints the table, puts the rows into `result`; what was missed."""
    result["rows"] = []
    for server in SERVERS:
        put_folder(folder / server.name, *server.folder)
        put(folder / server.name / "1k.txt", server.body, *server.file)
    print(HEAD)
    for mpm in mpms:
        for row in bench_mpm(folder, mpm):
            result["rows"].append(row)
            print(ROW.format(**{**row, "target": row["target"] or "-"}),
                  flush=True)
    busy = [t["ab_cpu"] for row in result["rows"] for t in row["rounds"]]
    print(f"ab itself took {min(busy):.0%} to {max(busy):.0%} of one CPU.")
    return [row for row in result["rows"] if row["verdict"] == "missed"]


def bench(folder):
    if not (os.geteuid() == 0 and AB and harness.APXS and MODULE.exists()
            and harness.MOD_WHO.exists()):
        raise Stop("needs root, ab, apxs, module, mod_who: make bench")
    RESULT.unlink(missing_ok=True)
    result = facts()
    print(*(f"{name:8} {fact}" for name, fact in result.items()), sep="\n")
    mpms = (os.environ.get("BENCH_MPM") or " ".join(MPMS)).split()
    parts = (os.environ.get("BENCH_PART") or " ".join(PARTS)).split()
    missed = []
    if "files" in parts:
        missed += bench_files(folder, mpms, result)
    if "cgi" in parts:
        missed += bench_cgi.bench(folder, mpms, result)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nAll rounds: {RESULT}")
    return missed


def main():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    folder = harness.new_folder()
    try:
        missed = bench(folder)
    except (Stop, AssertionError, OSError, subprocess.SubprocessError) as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder)
    return 1 if missed and os.environ.get("BENCH_MUST") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())
