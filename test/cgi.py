"""For the tests of CGI: a program that tells what it was given, servers with
and without httpd's own modules for CGI, and a client that sees an answer
while it comes."""
import contextlib
import functools
import http.client
import os
import re
import signal
import socket
import struct
import subprocess
import time

import proc
from conftest import MPMS
from harness import (TENANTS, Who, is_zombie, new_folder, put, put_folder,
                     shared, vhost)
from identity import Kept, Line

# What is loaded beside the module, which needs neither and minds neither.
BESIDE = {"alone": (), "cgi": ("cgi",), "cgid": ("cgid",)}
SERVERS = [(mpm, beside) for mpm in MPMS for beside in BESIDE]
# For what takes long.
FEW_SERVERS = [s for s in SERVERS if s[1] != "cgi"]
HEAD = "#!/bin/sh\necho Content-Type: text/plain\necho\n"

# Tells the kernel's report, then each thing that a script is given.
LOOK = r"""
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
static void show(const char *path)
{
    char text[8192];
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text));
    fwrite(text, 1, n > 0 ? n : 0, stdout);
    close(fd);
}
int main(int argc, char **argv)
{
    char path[64], text[4096];
    int open_fds[16], count = 0;
    for (int fd = 0; fd < 65536 && count < 16; fd++)
        if (fcntl(fd, F_GETFD) != -1)
            open_fds[count++] = fd;
    printf("Content-Type: text/plain\n\n");
    show("/proc/self/status");
    show("/proc/self/limits");
    printf("group=%d\n", getpgrp() == getpid() && getsid(0) == getpid());
    printf("cwd=%s\n", getcwd(text, sizeof(text)));
    for (int i = 0; i < count; i++) {
        sprintf(path, "/proc/self/fd/%d", open_fds[i]);
        ssize_t n = readlink(path, text, sizeof(text));
        printf("fd %d=%.*s\n", open_fds[i], n > 0 ? (int)n : 0, text);
    }
    for (int i = 0; i < argc; i++)
        printf("argv %d=%s\n", i, argv[i]);
    for (char **e = environ; *e; e++)
        printf("env %s\n", *e);
    return 0;
}
"""


@functools.lru_cache(None)
def look():
    """The program, as bytes."""
    folder = new_folder()
    source = put(folder / "look.c", LOOK)
    subprocess.run(["cc", "-O1", "-w", "-o", folder / "look", source],
                   check=True)
    data = (folder / "look").read_bytes()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return data


class Look(Who):
    """What the program told."""

    def _named(self, kind):
        return dict(re.findall(rf"^{kind} ([^=\n]*)=(.*)$", self.text, re.M))

    @property
    def env(self):
        return self._named("env")

    @property
    def words(self):
        """The arguments, but for the program's name."""
        return list(self._named("argv").values())[1:]

    @property
    def name(self):
        return self._named("argv")["0"]

    @property
    def fds(self):
        return {int(n): to for n, to in self._named("fd").items()}

    @property
    def cwd(self):
        return re.search("^cwd=(.*)$", self.text, re.M)[1]

    @property
    def leads_its_group(self):
        """And its session."""
        return "\ngroup=1\n" in self.text

    def limit(self, name):
        """(soft, hard) of "Max NAME"."""
        found = re.search(rf"^Max {name}\s+(\S+)\s+(\S+)", self.text, re.M)
        return found[1], found[2]


def put_scripts(folder, scripts, tenants=TENANTS):
    """Each of {name: text or (text, mode)} into each tenant's www, with the
    folders it names; LOOK is the program, NOTES a folder for all."""
    notes = put_folder(folder / "notes", 0o777)
    for tenant in tenants:
        www = folder / "home" / tenant.name / "www"
        for name, text in scripts.items():
            text, mode = text if isinstance(text, tuple) else (text, 0o755)
            path = www / name
            if path.parent != www:
                put_folder(path.parent, 0o755, tenant)
            put(path, look() if text == "LOOK" else text.replace(
                "NOTES", str(notes)).replace("TENANT", tenant.name), mode,
                tenant)


def hosts(folder, extra=""):
    """One pinned host each for alice, bob and carol; "owner" with alice's
    files, as whoever owns them; "plain" with them, not covered."""
    homes = folder / "home"
    return "".join(vhost(t.name, homes / t.name / "www",
                         f"PSUserGroup {t.ids}\n{extra}") for t in TENANTS) \
        + vhost("owner", homes / "alice/www", f"PSExAll On\n{extra}") \
        + vhost("plain", homes / "alice/www", extra)


def server_id(server):
    return "-".join(server)


@contextlib.contextmanager
def site(server, config, *modules, **kwargs):
    """A server of an MPM, with what stands beside the module."""
    mpm, beside = server
    with shared(mpm, config, modules=[*BESIDE[beside], *modules],
                **kwargs) as httpd:
        httpd.beside = beside
        httpd.notes = httpd.folder / "notes"
        yield httpd


class Talk(Line):
    """A request, and its answer as it comes."""

    def begin(self, method="GET"):
        """The answer's head; it can be read from, like a file."""
        reply = http.client.HTTPResponse(Kept(self.file), method=method)
        reply.begin()
        return reply

    def reset(self):
        """Be gone, as a client is that crashed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def noted(httpd, name, seconds=10):
    """The numbers that a script has put into its note, with a full line."""
    path = httpd.notes / name
    text = proc.wait_until(lambda: (t := proc.read(path)).endswith("\n")
                           and t, seconds)
    assert text, f"no note {name}"
    return [int(n) for n in text.split()]


def zombies(httpd):
    """What a child of httpd's has started and not waited for, once ended."""
    return [pid for child in httpd.children()
            for tid in proc.numbers(f"/proc/{child}/task")
            for pid in map(int, proc.read(
                f"/proc/{child}/task/{tid}/children").split())
            if os.path.exists(f"/proc/{pid}") and is_zombie(pid)]


def seconds_until_gone(pids, since, at_most=10):
    """How long after `since` the last of them ended; infinity if one lives,
    which is ended here."""
    gone = proc.wait_until(lambda: not proc.alive(pids), at_most)
    took = time.monotonic() - since
    for pid in proc.alive(pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return took if gone else float("inf")
