"""Hosts of three tenants and of the server, and clients that ask them all."""
import collections
import http.client
import itertools
import threading

from harness import TENANTS, put, vhost

HANDLERS = """AddHandler lua-script .lua
AddHandler application/x-httpd-php .php
AddOutputFilter INCLUDES .shtml
"""
WHOAMI_SSI = '<!--#exec cmd="cat /proc/self/status" -->\n'


def interpreter(mpm):
    return "php" if mpm == "prefork" else "lua"


def serve(start, folder, mpm, pinned=True, modules=(), **kwargs):
    """alice, bob and carol, and alice's files in "plain", not covered."""
    for tenant in TENANTS:
        www = folder / "home" / tenant.name / "www"
        put(www / "whoami.shtml", WHOAMI_SSI, 0o644, tenant)
    kind = interpreter(mpm)
    config = HANDLERS + "".join(
        vhost(t.name, folder / "home" / t.name / "www",
              f"PSUserGroup {t.ids}" if pinned else "PSExAll On")
        for t in TENANTS) + vhost("plain", folder / "home" / "alice" / "www")
    return start(mpm, config, modules=["cgi", "include", kind, *modules],
                 expect=["PS0503"] if kind == "lua" else [], **kwargs)


def is_hosts(who, host):
    if host == "plain":
        return who.is_server()
    return who.is_(next(t for t in TENANTS if t.name == host))


def wrong(answer, host, path):
    """What is wrong with an answer, or None. A script prints who it is; who
    ran the handler, the server says, but of a CGI script of a tenant's."""
    if answer.status != 200:
        return f"status {answer.status}"
    if path == "/whoami.cgi" and host != "plain":
        if "x-who" in answer.headers:
            return f"handler ran as {answer.handled_by}"
    elif not is_hosts(answer.handled_by, host):
        return f"handler ran as {answer.handled_by}"
    if path == "/file.txt":
        owner = "alice" if host == "plain" else host
        return None if answer.text == f"file of {owner}\n" else "another file"
    return None if is_hosts(answer.who, host) else f"script: {answer.who}"


def paths(mpm):
    """Of 20 requests, 15 for a file, 3 run inside httpd, 2 start a process
    (through mod_cgi that takes 50 ms, idle)."""
    script = f"/whoami.{interpreter(mpm)}"
    return (["/file.txt"] * 7 + [script, "/whoami.cgi"] + ["/file.txt"] * 4
            + [script] + ["/file.txt"] * 4 + [script, "/whoami.shtml"])


class Clients:
    """Threads that ask, while the block runs or until all have asked
    `count`; with `keep`, every second one keeps its connection, for hosts in
    turn.

    faults   (host, path, what was wrong)
    broken   paths asked again, as the connection was closed without an
             answer: event closes kept ones when its workers are busy, and
             a child that retires may reset new ones (bare httpd, too)
    served   how often each (host, path) was asked
    """

    def __init__(self, httpd, number=6, count=None, keep=True):
        self.httpd, self.count, self.keep = httpd, count, keep
        self.faults, self.broken = [], []
        self.counters = [collections.Counter() for _ in range(number)]
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,))
                        for n in range(number)]

    def _get(self, path, host, kept):
        try:
            return self.httpd.get(path, host, connection=kept)
        except (http.client.RemoteDisconnected, ConnectionResetError,
                BrokenPipeError):
            if kept:
                kept.close()
            self.broken.append(path)
            return self.httpd.get(path, host, connection=kept)

    def _run(self, number):
        kept = self.httpd.connection() if self.keep and number % 2 else None
        hosts = itertools.cycle(["alice", "bob", "carol"] * 3 + ["plain"])
        all_paths = itertools.cycle(paths(self.httpd.mpm))
        for _ in range(number):  # out of step with the others
            next(hosts)
        for path in itertools.islice(all_paths, self.count):
            if self.stop.is_set():
                break
            host = next(hosts)
            try:
                fault = wrong(self._get(path, host, kept), host, path)
            except Exception as e:  # in a thread it would be lost
                fault = repr(e)
            if fault:
                self.faults.append((host, path, fault))
            self.counters[number][host, path] += 1

    @property
    def served(self):
        return sum(self.counters, collections.Counter())

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        if self.count is None:
            self.stop.set()
        for thread in self.threads:
            thread.join()
