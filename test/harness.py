"""A private httpd per case, tenants made of numbers, and what they report.

    with Httpd(folder, "event", "PSExAll On\n...", modules=["cgi"]) as httpd:
        answer = httpd.get("/whoami.cgi", host="alice.test")
        assert answer.who == ALICE

The server gets a folder, a port of 127.0.0.1 and a pid file of its own, and is
stopped by that file. Its error log is part of each case: a line of level warn
or above that the case did not name fails it.
"""
import contextlib
import dataclasses
import functools
import http.client
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
APXS = os.environ.get("APXS") or shutil.which("apxs") or shutil.which("apxs2")
MODULE = TOP / "mod_process_security.so"
MOD_WHO = TOP / "build" / "mod_who.so"
START_SECONDS = 20
STOP_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class Tenant:
    """Who a thread or process is, for comparing with what the kernel says."""
    uid: int
    gid: int
    groups: tuple = ()
    name: str = ""

    @property
    def ids(self):
        return f"#{self.uid} #{self.gid}"


# Numeric ids need no passwd entry.
ALICE = Tenant(30001, 30001, name="alice")
BOB = Tenant(30002, 30002, name="bob")
CAROL = Tenant(30003, 30003, name="carol")
TENANTS = (ALICE, BOB, CAROL)


class Who:
    """The kernel's report of a thread: /proc/thread-self/status or X-Who."""

    def __init__(self, text):
        self.text = text
        self.fields = dict(re.findall(r"^\s*(\w+):[ \t]*(.*?)[ \t]*$",
                                      text.replace(";", "\n"), re.M))

    def _numbers(self, name):
        return tuple(int(n) for n in self.fields[name].split())

    def is_(self, tenant):
        """All four uids, all four gids, the groups, and no capability."""
        return (self._numbers("Uid") == (tenant.uid,) * 4
                and self._numbers("Gid") == (tenant.gid,) * 4
                and self._numbers("Groups") == tuple(sorted(tenant.groups))
                and self.has_no_capability())

    def has_no_capability(self):
        return all(int(self.fields[c], 16) == 0
                   for c in ("CapInh", "CapPrm", "CapEff", "CapAmb"))

    def is_server(self):
        """The server's ids; may hold SETUID and SETGID, never effective."""
        return (self._numbers("Uid") == (server_ids().uid,) * 4
                and self._numbers("Gid") == (server_ids().gid,) * 4
                and int(self.fields["CapEff"], 16) == 0
                and int(self.fields["CapPrm"], 16) in (0, 0xc0))

    def is_in_place(self, tenant):
        """The server's thread, which reaches files as the tenant: the fourth
        of the ids, and the groups. No capability is effective."""
        server = server_ids()
        return (self._numbers("Uid") == (server.uid,) * 3 + (tenant.uid,)
                and self._numbers("Gid") == (server.gid,) * 3 + (tenant.gid,)
                and set(self._numbers("Groups")) | {tenant.gid}
                == set(tenant.groups) | {tenant.gid}
                and int(self.fields["CapEff"], 16) == 0
                and int(self.fields["CapPrm"], 16) == 0xc0)

    def is_httpds(self):
        """A thread of httpd's own, which no tenant may signal, whoever it
        reaches files as: its connection can go on with the same tenant."""
        server = server_ids()
        return (self._numbers("Uid")[:3] == (server.uid,) * 3
                and self._numbers("Gid")[:3] == (server.gid,) * 3
                and int(self.fields["CapEff"], 16) == 0
                and int(self.fields["CapPrm"], 16) in (0, 0xc0))

    def __repr__(self):
        return f"Who({self.text!r})"


class ServedBy(Who):
    """Who ran a handler: what a tenant's code could take part in, in a thread
    that is the tenant; a file may be served in place. (What a script says of
    itself is a Who, and no less than the tenant through and through.)"""

    def is_(self, tenant):
        return super().is_(tenant) or self.is_in_place(tenant)


@functools.lru_cache(None)
def apxs(name):
    return subprocess.run([APXS, "-q", name], check=True, text=True,
                          capture_output=True).stdout.strip()


def httpd_binary():
    return os.path.join(apxs("SBINDIR"), apxs("PROGNAME"))


def server_ids():
    """The user that test servers run as: Debian's, or Fedora's."""
    import grp
    import pwd
    for user, group in (("www-data", "www-data"), ("apache", "apache"),
                        ("nobody", "nogroup")):
        with contextlib.suppress(KeyError):
            return Tenant(pwd.getpwnam(user).pw_uid,
                          grp.getgrnam(group).gr_gid, name=user)
    raise RuntimeError("no user for a test server")


@functools.lru_cache(None)
def builtin_modules():
    text = subprocess.run([httpd_binary(), "-l"], check=True, text=True,
                          capture_output=True).stdout
    return set(re.findall(r"mod_(\w+)\.c", text))


def module_file(name):
    """The file of httpd's module `name` ("cgi", "php"), or None."""
    folder = pathlib.Path(apxs("LIBEXECDIR"))
    found = sorted(folder.glob("libphp*.so" if name == "php"
                               else f"mod_{name}.so"))
    return found[-1] if found else None


def load_line(name):
    if name in builtin_modules():
        return ""
    path = module_file(name)
    if path is None:
        raise RuntimeError(f"httpd's module {name} is not installed")
    return f"LoadModule {name}_module {path}\n"


def free_port():
    """Below those that connections get: httpd binds it, lets it go, and binds
    it again, and another test's client could have it by then."""
    for port in random.sample(range(10240, 32768), 100):
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


def new_folder():
    """A folder that www-data can search, with its parents."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ps-test-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def put(path, text="", mode=0o644, owner=None):
    """Write a file (and root's folders above it), with owner and mode."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if owner:
        os.chown(path, owner.uid, owner.gid)
    path.chmod(mode)
    return path


def put_folder(path, mode=0o755, owner=None):
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)
    if owner:
        os.chown(path, owner.uid, owner.gid)
    path.chmod(mode)
    return path


WHOAMI_CGI = """#!/bin/sh
echo Content-Type: text/plain
echo
cat /proc/self/status
"""
# PHP remembers for its whole process what /proc/thread-self was a link to.
WHOAMI_PHP = """<?php clearstatcache(true);
header("Content-Type: text/plain");
echo file_get_contents("/proc/thread-self/status");
"""
WHOAMI_LUA = """function handle(r)
    r.content_type = "text/plain"
    r:puts(io.open("/proc/thread-self/status"):read("*a"))
    return apache2.OK
end
"""


def make_homes(folder, tenants=TENANTS):
    """home/NAME/www for each tenant, with a file and scripts that report."""
    for tenant in tenants:
        home = put_folder(folder / "home" / tenant.name, 0o711, tenant)
        www = put_folder(home / "www", 0o755, tenant)
        put(www / "file.txt", f"file of {tenant.name}\n", 0o644, tenant)
        put(www / "whoami.cgi", WHOAMI_CGI, 0o755, tenant)
        put(www / "whoami.php", WHOAMI_PHP, 0o644, tenant)
        put(www / "whoami.lua", WHOAMI_LUA, 0o644, tenant)
        put(home / "private.txt", f"secret of {tenant.name}\n", 0o600, tenant)


def vhost(name, root, extra=""):
    """A virtual host NAME.test, with what most cases want of it."""
    return f"""<VirtualHost *>
    ServerName {name}.test
    DocumentRoot {root}
    <Directory {root}>
        Require all granted
        Options +ExecCGI +FollowSymLinks +Indexes +Includes
        AllowOverride All
    </Directory>
    {extra}
</VirtualHost>
"""


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def served_by(self):
        """Who served it: the script, as it printed from /proc, where it did
        (a spawned one runs in no thread of httpd); else who ran the handler,
        as the kernel told mod_who."""
        printed = len(re.findall(r"^Uid:", self.text, re.M)) == 1
        return ServedBy(self.text) if printed else self.handled_by

    @property
    def handled_by(self):
        """Who ran the handler in httpd, whatever a program that it started
        printed; of a script that this module spawned there is no such."""
        return ServedBy(self.headers["x-who"])

    @property
    def who(self):
        """Who the script was, as it printed from /proc."""
        return Who(self.text)


class Httpd:
    """A running server. See the module's docstring."""

    def __init__(self, folder, mpm, config, modules=(), expect=(),
                 main_config="", load=True, port=None):
        self.folder = pathlib.Path(folder)
        self.mpm = mpm
        self.port = port or free_port()
        self.expect = list(expect)
        self.tolerate = []  # what may come, as from a bare httpd
        self.run = put_folder(self.folder / f"run-{self.port}")
        self.error_log = self.run / "error.log"
        self.pid_file = self.run / "httpd.pid"
        self.conf = put(self.run / "httpd.conf",
                        self._text(config, modules, main_config, load))

    def _text(self, config, modules, main_config, load):
        server = server_ids()
        names = [f"mpm_{self.mpm}", "authz_core", "dir", "mime", "env",
                 "alias", "unixd", "log_config"]
        names += [m for m in modules if m not in names]
        lines = "".join(load_line(n) for n in names)
        if load:
            lines += f"LoadModule process_security_module {MODULE}\n"
            lines += f"LoadModule who_module {MOD_WHO}\n"
        small = {"prefork": "StartServers 2\nMinSpareServers 1\n"
                            "MaxSpareServers 4\n",
                 }.get(self.mpm, "StartServers 1\nThreadsPerChild 8\n"
                                 "MinSpareThreads 4\nMaxSpareThreads 16\n"
                                 "MaxRequestWorkers 16\n")
        return f"""ServerRoot {self.run}
DefaultRuntimeDir {self.run}
{lines}{small}{main_config}
Listen 127.0.0.1:{self.port}
ServerName main.test
PidFile {self.pid_file}
ErrorLog {self.error_log}
LogLevel warn
LogFormat "%v %m %U %>s" short
CustomLog {self.run}/access.log short
User #{server.uid}
Group #{server.gid}
Mutex file:{self.run} default
Timeout 30
AcceptPathInfo On
TypesConfig /dev/null
AddType text/plain .txt
AddType text/html .html
AddHandler cgi-script .cgi
DocumentRoot {self.run}
<Directory />
    Require all denied
</Directory>
{config}
"""

    def command(self, *arguments):
        return [httpd_binary(), "-f", str(self.conf), *arguments]

    def configtest(self, *arguments, **kwargs):
        """`apachectl configtest`: exit status and all that it said."""
        done = subprocess.run(self.command("-t", *arguments), text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, **kwargs)
        return done.returncode, done.stdout

    def start(self):
        done = subprocess.run(self.command("-k", "start"), text=True,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        self.said = done.stdout
        if done.returncode != 0:
            raise AssertionError(f"httpd did not start:\n{done.stdout}"
                                 f"{self.log()}")
        self._wait(self._listens, START_SECONDS, "listen")
        return self

    def _listens(self):
        with socket.socket() as s:
            return (s.connect_ex(("127.0.0.1", self.port)) == 0
                    and self.pid_file.exists())

    def _wait(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"httpd did not {what} in {seconds} s:\n"
                                     f"{self.log()}")
            time.sleep(0.02)

    @property
    def pid(self):
        return int(self.pid_file.read_text())

    def children(self):
        """Pids of the parent's children, from /proc."""
        text = pathlib.Path(
            f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(p) for p in text.split()]

    def signal(self, name):
        os.kill(self.pid, getattr(signal, name))

    def stop(self):
        """TERM by the pid file, and wait until nothing is left."""
        if not self.pid_file.exists():
            return
        # A worker that still closes a connection and TERM together crash any
        # httpd now and then (close_worker_sockets in worker and event).
        time.sleep(0.1)
        pid = self.pid
        family = [pid, *self.children()]
        os.kill(pid, signal.SIGTERM)
        self._wait(lambda: not any(os.path.exists(f"/proc/{p}")
                                   and not is_zombie(p) for p in family),
                   STOP_SECONDS, "stop")

    def log(self):
        return (self.error_log.read_text(errors="replace")
                if self.error_log.exists() else "")

    def wait_for_log(self, text, seconds=10):
        self._wait(lambda: text in self.log(), seconds, f"log {text!r}")

    def unexpected_lines(self):
        """Log lines of level warn and above that the case did not name."""
        lines = (getattr(self, "said", "") + self.log()).splitlines()
        return [line for line in lines if is_loud(line)
                and not any(e in line for e in self.expect + self.tolerate)]

    @contextlib.contextmanager
    def expecting(self, *texts):
        """Of the loud lines that come meanwhile, each holds one of `texts`,
        and each of `texts` comes. Yields the list that they are put in."""
        start, lines = len(self.log()), []
        try:
            yield lines
        finally:
            log = self.log()[start:]
            lines += [line for line in log.splitlines() if is_loud(line)]
            self.expect += lines
        strange = [n for n in lines if not any(t in n for t in texts)]
        assert not strange, strange
        absent = [t for t in texts if t not in log]
        assert not absent, (absent, log)

    def missing_lines(self):
        text = getattr(self, "said", "") + self.log()
        return [e for e in self.expect if e not in text]

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None:
            assert not self.unexpected_lines(), self.unexpected_lines()
            assert not self.missing_lines(), (self.missing_lines(), self.log())

    def connection(self, timeout=30):
        return http.client.HTTPConnection("127.0.0.1", self.port,
                                          timeout=timeout)

    def get(self, path, host="alice", method="GET", body=None, headers=None,
            connection=None):
        """One request; on a connection of its own unless one is given."""
        c = connection or self.connection()
        c.request(method, path, body=body,
                  headers={"Host": f"{host}.test", **(headers or {})})
        reply = c.getresponse()
        answer = Answer(reply.status,
                        {k.lower(): v for k, v in reply.getheaders()},
                        reply.read())
        if connection is None:
            c.close()
        return answer


def is_loud(line):
    """Whether a log line is of level warn or above, or tells of a crash."""
    return (re.search(r"\[[\w-]*:(warn|error|crit|alert|emerg)\]", line)
            is not None or "exit signal" in line)


@contextlib.contextmanager
def shared(mpm, config, keep=False, **kwargs):
    """One server for many cases, as the body of a fixture of wider scope;
    config is a function of the folder. Its log is checked at the end."""
    folder = new_folder()
    make_homes(folder)
    with Httpd(folder, mpm, config(folder), **kwargs) as httpd:
        yield httpd
    if not keep:
        shutil.rmtree(folder)


def with_file_at(path, file, *command):
    """`command`, made one for which `file` stands at `path`: the system's
    own stays as it is for everybody else."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        in_chroot = all(line.split()[4] != "/" for line in mounts)
    # In a chroot there is nothing that unshare(1) could make private; so the
    # file is taken away again, for whoever would see it, too.
    return ["unshare", "-m", *(["--propagation", "unchanged"] * in_chroot),
            "sh", "-c", 'mount --bind "$0" "$1" || exit; at=$1; shift; "$@"; '
            'status=$?; umount "$at"; exit $status',
            str(file), str(path), *command]


def is_zombie(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return text.rsplit(")", 1)[1].split()[0] == "Z"
