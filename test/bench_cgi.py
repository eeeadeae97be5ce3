"""`make bench`, second part: what a CGI script costs.

A small static program (bench_hello.c), which says as whom it runs, is asked
for by bench_ask.c, which looks at each answer: through bare httpd with
mod_cgi, through suexec, and through the module, each also amid 5,000 virtual
hosts. Beside them, in the same rounds, two loops run the same program without
any httpd (bench_spawn.c).

Then as many scripts as httpd has threads, nearly, sleep at once, and what
httpd's child has grown by, at most, is divided among them: a child that just
started, and one that has answered as many short requests at once.

Stock mod_cgi sleeps for 47 ms where a script that has closed its output has
not yet ended (free_proc_chain() of APR), unless it is suexec's, which httpd
may not signal. The wrapper logs each script where its package says: some MB.
"""
import contextlib
import functools
import itertools
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import bench_load
import harness
import proc
from bench_load import (CONNECTIONS, MODULE, OURS, Stop, check_answer,
                        compared, figures, interleave, lasting, running)
from harness import ALICE, Tenant, put, put_folder, server_ids

HERE = pathlib.Path(__file__).resolve().parent
PATH = "/hello.cgi"
HOSTS = 5000
SCRIPTS, SLEEP = 60, 2
SECONDS = bench_load.SECONDS if bench_load.SECONDS > 1 else 0.6
ONE_CHILD = ("StartServers 1\nThreadsPerChild 64\nMaxRequestWorkers 64\n"
             "MinSpareThreads 1\nMaxSpareThreads 64\n")
MOST_KB = 64
TARGETS = {("ours", "mod_cgi"): 5, ("ours", "suexec"): 2,
           ("ours", "spawn"): 0.5, ("ours, hosts", "ours"): 0.85,
           ("mod_cgi, hosts", "mod_cgi"): None,
           ("suexec, hosts", "suexec"): None}


def wrapper_user():
    """Someone whom the user database knows, as suexec(8) asks for."""
    entry = pwd.getpwnam("nobody")
    return Tenant(entry.pw_uid, entry.pw_gid, name="nobody")


class Kind(NamedTuple):
    """A way to run scripts: what each host says, and who its script is."""
    name: str
    says: str
    tenant: Tenant
    main: str = ""
    modules: tuple = ()
    mode: int = 0o755

    @property
    def body(self):
        t = self.tenant
        return f"uid={t.uid} euid={t.uid} gid={t.gid}\n"


def kinds():
    user = wrapper_user()
    spawns = b"PSCgiSpawn" in MODULE.read_bytes()
    return (Kind("mod_cgi", "", server_ids(), modules=("cgi",)),
            Kind("suexec", f"SuexecUserGroup {user.ids}", user, "Suexec On\n",
                 ("cgi", "suexec")),
            Kind("ours", f"PSUserGroup {ALICE.ids}", ALICE, OURS,
                 () if spawns else ("cgi",), 0o700))


def compiled(folder, name):
    program = folder / name
    subprocess.run([os.environ.get("CC") or "cc", "-O2", "-static",
                    "-D_GNU_SOURCE", "-o", program, HERE / f"{name}.c"],
                   check=True)
    return program


def defined(name, *command):
    """What a program of httpd's says that it was built with."""
    done = subprocess.run([*command, "-V"], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = re.search(rf'-D {name}="(.*)"', done.stdout)
    if not found:
        raise Stop(f"{command[0]} -V does not tell {name}")
    return pathlib.Path(found[1])


def wrapper_root():
    wrapper = defined("SUEXEC_BIN", harness.httpd_binary())
    if not wrapper.exists():
        raise Stop(f"needs suexec: {wrapper} (make bench installs it)")
    return defined("AP_DOC_ROOT", wrapper)


@contextlib.contextmanager
def sites(folder):
    """{kind's name: folder with its script}; suexec's has to be where its
    wrapper wants it. """
    hello = compiled(folder, "bench_hello")
    for n in range(HOSTS):
        put_folder(folder / f"hosts/h{n}")
    below = wrapper_root()
    below.mkdir(parents=True, exist_ok=True)
    at = pathlib.Path(tempfile.mkdtemp(prefix="ps-bench-", dir=below))
    try:
        roots = {"suexec": at, "mod_cgi": folder / "cgi-bare",
                 "ours": folder / "cgi-ours"}
        for kind in kinds():
            owner = kind.tenant if kind.says else None
            put_folder(roots[kind.name], kind.mode, owner)
            put(roots[kind.name] / PATH[1:], hello.read_bytes(), kind.mode,
                owner)
        yield roots
    finally:
        shutil.rmtree(at)


def config(folder, root, kind, count):
    """The script's host, and `count` others after it: those before it httpd
    goes through one by one for each request, of a file, too (0.1 ms for 2,500
    here), and that is not what is measured."""
    hosts = [f"<VirtualHost *>\n    ServerName h{n}.test\n    DocumentRoot "
             f"{folder}/hosts/h{n}\n    {kind.says}\n</VirtualHost>\n"
             for n in range(count)]
    hosts.insert(0, harness.vhost("bench", root, kind.says))
    return "".join(hosts)


def rate(command):
    """What one of the programs says."""
    done = subprocess.run([str(word) for word in command], text=True,
                          check=False, capture_output=True, timeout=90)
    if done.returncode != 0:
        raise Stop(f"{done.args}: {done.returncode}\n{done.stderr}")
    return {"rps": float(done.stdout)}


def ask(folder, httpd, kind):
    try:
        return rate([folder / "bench_ask", SECONDS, CONNECTIONS, httpd.port,
                     PATH, kind.body])
    except Stop as e:
        raise Stop(f"{httpd.mpm}, {kind.name}: {e}\n{httpd.log()}") from None


def bench_mpm(folder, mpm, roots):
    """Rows of the table."""
    turns, servers = {}, {}
    with contextlib.ExitStack() as stack:
        for kind, count in itertools.product(kinds(), (0, HOSTS)):
            name = kind.name + (", hosts" if count else "")
            servers[name] = stack.enter_context(running(
                folder, mpm, config(folder, roots[kind.name], kind, count),
                kind.main, kind.modules))
            check_answer(servers[name], name, PATH, kind.body)
            turns[name] = functools.partial(ask, folder, servers[name], kind)
        turns["spawn"] = functools.partial(
            rate, [folder / "bench_spawn", SECONDS, folder / "bench_hello"])
        for warm_up in turns.values():
            warm_up()
        with lasting(servers):
            said = interleave(turns)
    return [{"mpm": mpm, "server": name, **figures(rounds),
             "compared": {other: compared(rounds, said[other], target)
                          for (who, other), target in TARGETS.items()
                          if who == name}}
            for name, rounds in said.items()]


# ---- memory

def private_kb(httpd):
    return sum(int(kb) for pid in httpd.children() for kb in re.findall(
        r"^Private_\w+: +(\d+) kB", proc.read(f"/proc/{pid}/smaps_rollup"),
        re.M))


def at_once(httpd, kind, count, seconds):
    """The most that httpd's children have while `count` scripts run."""
    with ThreadPoolExecutor(count) as pool:
        path = f"{PATH}?{seconds}" if seconds else PATH
        asked = [pool.submit(check_answer, httpd, kind.name, path, kind.body)
                 for _ in range(count)]
        most, ran = 0, 0
        while not all(one.done() for one in asked):
            most = max(most, private_kb(httpd))
            if seconds and ran < count:
                ran = len(proc.scripts(httpd))
            time.sleep(0.01)
        for one in asked:
            one.result()
    if seconds and ran < count:
        raise Stop(f"{httpd.mpm}, {kind.name}: {ran} scripts at once, not "
                   f"{count}\n{httpd.log()}")
    return most


def grown(folder, mpm, kind, root, warm):
    with running(folder, mpm, config(folder, root, kind, 0), kind.main,
                 kind.modules, ONE_CHILD) as httpd:
        check_answer(httpd, kind.name, PATH, kind.body)
        if warm:
            at_once(httpd, kind, 64, 0)
        before = private_kb(httpd)
        return (at_once(httpd, kind, SCRIPTS, SLEEP) - before) / SCRIPTS


def memory(folder, mpm, roots):
    """Rows of the table; a script of suexec's costs httpd what mod_cgi's
    does."""
    for kind in kinds():
        if kind.name == "suexec":
            continue
        new, warm = (grown(folder, mpm, kind, roots[kind.name], warm)
                     for warm in (False, True))
        ours = kind.name == "ours"
        yield {"mpm": mpm, "server": kind.name, "new_kb": new,
               "warm_kb": warm, "most_kb": MOST_KB if ours else "-",
               "verdict": ("-" if not ours else
                           "ok" if warm < MOST_KB else "missed")}


# ---- tables

HEAD = f"""
CGI, {SECONDS} s, keep-alive, {CONNECTIONS} connections; "hosts": {HOSTS} more
MPM      server          requests/s [min-max]  ratio"""
ROW = "{mpm:7}  {server:14}  {median:6.0f} [{min:5.0f}-{max:5.0f}]"
RATIO = "  {ratio:.2f} x {other}{verdict}"
MEMORY_HEAD = f"""
Private memory of httpd's child, KB for each of {SCRIPTS} scripts at once
MPM      server   just started  used before  target"""
MEMORY_ROW = ("{mpm:7}  {server:7}  {new_kb:12.1f}  {warm_kb:11.1f}  "
              "{most_kb:>6}  {verdict}")


def bench(folder, mpms, result):
    """Prints the tables, puts the rows into `result`; what was missed."""
    result.update(cgi=[], memory=[])
    with sites(folder) as roots:
        for name in ("bench_ask", "bench_spawn"):
            compiled(folder, name)
        print(HEAD)
        for mpm in mpms:
            for row in bench_mpm(folder, mpm, roots):
                result["cgi"].append(row)
                print(ROW.format(**row) + "".join(
                    RATIO.format(**{**c, "other": other, "verdict": "" if (
                        c["target"]) is None else
                        f" (target {c['target']}: {c['verdict']})"})
                    for other, c in row["compared"].items()), flush=True)
        print(MEMORY_HEAD)
        for mpm in mpms:
            if mpm != "prefork":  # there each has a process of its own
                for row in memory(folder, mpm, roots):
                    result["memory"].append(row)
                    print(MEMORY_ROW.format(**row), flush=True)
    return [c for row in result["cgi"] for c in row["compared"].values()
            if c["verdict"] == "missed"] + [
                row for row in result["memory"] if row["verdict"] == "missed"]
