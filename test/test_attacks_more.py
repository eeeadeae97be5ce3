"""Attacks that worked once: protocols, programs that a .htaccess names, a
thread's folder and umask, handlers that do not end, drops that fail, and
configurations that cannot work. Filters and redirects: test_attacks.py.
"""
import functools
import os
import re
import resource
import socket
import subprocess
import time

import pytest

import http2
import proc
import refuse
from harness import (ALICE, BOB, START_SECONDS, TENANTS, Httpd, ServedBy,
                     Who, module_file, put, put_folder, server_ids, vhost)
from test_leftovers import descriptors

BOTH = pytest.mark.parametrize("pinned", (True, False),
                               ids=("pinned", "owner"))


def hosts(folder, pinned=True, override="All", extra=""):
    return "".join(vhost(t.name, folder / "home" / t.name / "www",
                         (f"PSUserGroup {t.ids}" if pinned else "PSExAll On")
                         + "\n" + extra)
                   for t in TENANTS).replace("AllowOverride All",
                                             f"AllowOverride {override}")


def plain(folder):
    return vhost("plain", folder / "home/alice/www")


# ---- HTTP/2 by an upgrade

def upgrade(httpd, host, path):
    """Ask HTTP/1.1 for HTTP/2 in the clear: the connection, kept, and the
    answer's head; of a script, the body, too."""
    s = socket.create_connection(("127.0.0.1", httpd.port), 10)
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}.test\r\n"
              "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
              "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n".encode())
    text, end = b"", b"nonvol" if path.endswith(".cgi") else b"\r\n\r\n"
    while end not in text:
        text += s.recv(65536)
        assert text
    return s, text


def ask_all(httpd):
    """Enough streams of every tenant's to need new threads."""
    asked = [(t, path) for t in TENANTS for path in
             ("/file.txt", "/whoami.cgi", "/whoami.lua")] * 4
    answers = http2.ask(httpd.port, [(t.name, path) for t, path in asked])
    for (tenant, path), answer in zip(asked, answers):
        assert answer.is_200
        if path == "/file.txt":
            assert answer.text == f"file of {tenant.name}\n"
        else:
            assert Who(answer.text).is_(tenant), answer.text


@BOTH
@pytest.mark.parametrize("mpm", ("worker", "event"))
def test_upgrade(start, folder, mpm, pinned):
    """Tried: "Upgrade: h2c" to a tenant's file. Might work as the core
    upgrades where it reads the request's body, in the tenant's thread: the
    session stays there, and starts threads that are the tenant for ever,
    to be killed by it, or to serve its neighbours. The request must be
    answered as HTTP/1.1, and all threads stay the server's; where nothing is
    covered, and by prior knowledge, HTTP/2 works."""
    httpd = start(mpm, "Protocols h2c http/1.1\nH2MinWorkers 1\n"
                  "H2MaxWorkers 12\nAddHandler lua-script .lua\n"
                  + hosts(folder, pinned) + plain(folder),
                  modules=["http2", "cgi", "lua"], expect=["PS0503"])
    ask_all(httpd)
    kept = []
    for path in ("/file.txt", "/whoami.cgi", "/whoami.lua", "/missing.txt",
                 "/whoami.lua"):
        for host, tenant in (("alice", ALICE), ("bob", BOB)):
            s, text = upgrade(httpd, host, path)
            kept.append(s)
            status = b"404" if "missing" in path else b"200"
            assert text.startswith(b"HTTP/1.1 " + status), text
            if path == "/whoami.cgi":  # it has no thread of httpd's
                assert Who(text.decode()).is_(tenant), text
                continue
            who = re.search(rb"(?mi)^X-Who: (.*)\r$", text)
            assert who and ServedBy(who[1].decode()).is_(tenant), text
    assert proc.wait_until(lambda: not proc.not_servers(httpd)), \
        proc.not_servers(httpd)
    ask_all(httpd)
    s, text = upgrade(httpd, "plain", "/file.txt")
    assert text.startswith(b"HTTP/1.1 101 "), text
    for s in (s, *kept):
        s.close()
    ask_all(httpd)
    assert proc.wait_until(lambda: not proc.not_servers(httpd)), \
        proc.not_servers(httpd)


# ---- programs that a .htaccess names for the server's own thread

EXEC = {
    "session_crypto": (["session", "session_cookie", "session_crypto"],
                       "SessionCryptoPassphrase"),
    "authnz_ldap": (["auth_basic", "ldap", "authnz_ldap"],
                    "AuthLDAPBindPassword"),
}


@pytest.mark.parametrize("name", EXEC)
def test_exec_is_warned_about(folder, name):
    """Tried: "exec:PROGRAM" as a password in a .htaccess. Works: httpd runs
    it when it reads the file, as the server's user, where no module can stop
    it. configtest must name the module and the directive wherever
    AllowOverride lets it be said, and only there."""
    modules, directive = EXEC[name]
    if any(not module_file(m) for m in modules):
        pytest.skip(f"mod_{name} is not installed")
    said = {}
    for override in ("All", "AuthConfig", "None", "Indexes Options",
                     f"None\nAllowOverrideList {directive}",
                     "None\nAllowOverrideList None"):
        httpd = Httpd(folder, "event", hosts(folder, True, override),
                      modules=["cgi", *modules])
        status, text = httpd.configtest()
        assert status == 0
        said[override] = re.findall(r"PS0503: (\S+) is loaded", text)
        assert (f"{directive} exec:" in text) == bool(said[override])
    warned = [f"mod_{name}.c"]
    assert said == {"All": warned, "AuthConfig": warned, "None": [],
                    "Indexes Options": [],
                    f"None\nAllowOverrideList {directive}": warned,
                    "None\nAllowOverrideList None": []}


# ---- the working directory and umask

ONE_CHILD = """ServerLimit 1
StartServers 1
MaxRequestWorkers 1
LogLevel warn mpm_prefork:crit
"""
MOVES = """<?php
function go() { chdir("HOME/cw"); umask(0); }
WHEN
echo getmypid(), " ", getcwd(), " ";
file_put_contents("HOME/cw/made", ""); chmod("HOME/cw/made", 0666 & ~umask());
"""


@BOTH
@pytest.mark.parametrize("when", (
    "go();", "register_shutdown_function('go');"), ids=("page", "shutdown"))
def test_folder_and_umask_stay_behind(start, folder, when, pinned):
    """Tried: a page that changes folder and umask, then another request in
    the same child. Might work as threads share both: the next tenant's files
    would be open to all, and relative names the first tenant's. The child
    must keep its own; in the page itself the change has its effect."""
    home = folder / "home/alice"
    put_folder(home / "cw", 0o755, ALICE)
    put(home / "www/move.php", MOVES.replace("HOME", str(home))
        .replace("WHEN", when), 0o644, ALICE)
    put(folder / "home/bob/www/where.cgi", "#!/bin/sh\n"
        "echo; umask; grep Uid: /proc/self/status\n", 0o755, BOB)
    httpd = start("prefork", hosts(folder, pinned)
                  + "AddHandler application/x-httpd-php .php\n",
                  modules=["cgi", "php"], main_config=ONE_CHILD)
    pid, = proc.wait_until(httpd.children)

    def state():
        return (os.readlink(f"/proc/{pid}/cwd"),
                Who(proc.read(f"/proc/{pid}/status")).fields["Umask"])

    before = state()
    bobs = httpd.get("/where.cgi", "bob").text
    assert str(BOB.uid) in bobs
    for _ in range(2):
        answer = httpd.get("/move.php")
        assert answer.status == 200 and answer.served_by.is_(ALICE)
        in_page = when == "go();"
        assert answer.text.split()[0] == str(pid)
        assert (answer.text.split()[1] == f"{home}/cw") == in_page
        mode = os.stat(home / "cw/made").st_mode & 0o777
        assert mode == (0o666 if in_page else 0o666 & ~int(before[1], 8))
        assert state() == before
        assert httpd.get("/where.cgi", "bob").text == bobs


# ---- a handler that wants to go on later

@BOTH
def test_suspended(start, folder, mpm, pinned):
    """Tried: a script that returns SUSPENDED. Might work as httpd then waits
    for somebody to go on, for ever, until the child is full. Must be an
    error, each connection released, and everybody served."""
    scripts = ["return -3", "return apache2.SUSPENDED or -3",
               "r:flush() return -3"]
    www = folder / "home/alice/www"
    for i, end in enumerate(scripts):
        put(www / f"s{i}.lua", f"function handle(r) r:puts('x') {end} end",
            0o644, ALICE)
    httpd = start(mpm, hosts(folder, pinned, "None")
                  + "AddHandler lua-script .lua\n", modules=["lua"])

    def sockets():
        return sum(name.startswith("socket:")
                   for names in descriptors(httpd).values() for name in names)

    children = set(proc.wait_until(httpd.children))
    with httpd.expecting("PS0206") as lines:
        for i in range(30):
            answer = httpd.get(f"/s{i % 3}.lua")
            assert answer.status == 500 or (i % 3 == 2 and
                                            answer.status == 200)
    assert len(lines) == 30, lines
    assert proc.wait_until(lambda: sockets() <= len(httpd.children()) + 1)
    assert httpd.get("/file.txt", "bob").text == "file of bob\n"
    assert httpd.get("/whoami.lua").who.is_(ALICE)
    assert children & set(httpd.children())


@pytest.mark.parametrize("scope", ("conn", "thread", "server 1 2", "once",
                                   "request", None))
@BOTH
def test_lua_scope(folder, scope, pinned):
    """Tried: a finalizer of a tenant's in an interpreter that the operator
    lets live longer than the request. Would run in the server's thread when
    that ends it. Refused at start, wherever it is said; scopes that end with
    the request, and those where nothing is covered, pass."""
    line = f"LuaScope {scope}" if scope else ""
    lasts = scope not in ("once", "request", None)
    inside = f"<Directory {folder}/home>\n{line}\n</Directory>\n"
    for config in (line + "\n", inside):
        status, text = Httpd(folder, "event", config + hosts(
            folder, pinned, "None"), modules=["lua"]).configtest()
        assert (status != 0) == lasts, text
        assert ("PS0406: " in text) == lasts
        assert not lasts or f"LuaScope {scope}" in text
        status, text = Httpd(folder, "event", config + plain(folder),
                             modules=["lua"]).configtest()
        assert status == 0 and "PS0406" not in text, text


# ---- the module's own directives in a .htaccess

OWN = ("PSExAll Off", "PSExCGI Off", "PSIgnoreExtensions .cgi",
       "PSTrustedPath Off", "PSUserGroup owner", "PSUserGroup #30002 #30002",
       "PSMinUidGid 0 0", "PSRootEnable On", "PSDefaultUidGid #33 #33")


@BOTH
@pytest.mark.parametrize("override", ("All", "None\nAllowOverrideList "
                                      + " ".join(sorted({line.split()[0]
                                                         for line in OWN}))),
                         ids=("all", "list"))
def test_own_directives(start, folder, override, pinned):
    """Tried: the module's directives in a tenant's .htaccess. Might work as
    AllowOverrideList lets in whatever it names. Each must be an error, and
    nothing run; without it the script runs as the tenant."""
    httpd = start("event", hosts(folder, pinned, override), modules=["cgi"])
    htaccess = folder / "home/alice/www/.htaccess"
    for line in OWN:
        put(htaccess, f"{line}\n", 0o644, ALICE)
        with httpd.expecting(".htaccess: " + line.split()[0]):
            answer = httpd.get("/whoami.cgi")
        assert answer.status == 500 and "Uid" not in answer.text
        htaccess.unlink()
        assert httpd.get("/whoami.cgi").who.is_(ALICE)
    put(folder / "home/bob/www/.htaccess", "PSExAll Off\n", 0o644, BOB)
    with httpd.expecting(".htaccess: PSExAll"):
        assert httpd.get("/file.txt", "bob").status == 500


@pytest.mark.parametrize("name", ("server-parsed", "Server-Parsed"))
def test_server_parsed(folder, name):
    """Tried by mistake: PSHandlers server-parsed. httpd has replaced that
    handler by a filter when a request runs, so that nothing would be
    covered. Refused with the remedy, which passes."""
    for right, line in ((False, f"PSHandlers lua-script {name}"),
                        (True, "PSExtensions .shtml"), (True, "PSExAll On")):
        status, text = Httpd(folder, "event", vhost(
            "alice", folder / "home/alice/www", line).replace(
            "AllowOverride All", "AllowOverride None"),
            modules=["include"]).configtest()
        assert (status == 0) == right, text
        assert right or "use PSExtensions .shtml, or PSExAll On" in text


# ---- threads that cannot start, and drops that fail

def start_one(start, mpm, config):
    """A server with one child, and that."""
    httpd = start(mpm, config, modules=["cgi", "lua"], expect=["PS0503"],
                  main_config=ONE_CHILD if mpm == "prefork" else "")
    httpd.tolerate.append("AH00161")  # it is the only one, and may be busy
    child, = proc.wait_until(httpd.children)
    return httpd, child


def expect_served(httpd, child):
    """By the same child, which lost nothing."""
    for tenant in (ALICE, None):
        answer = httpd.get("/whoami.cgi", tenant.name if tenant else "plain")
        assert answer.status == 200
        who = answer.who
        assert who.is_(tenant) if tenant else who.is_server(), who
    assert proc.wait_until(lambda: not proc.not_servers(httpd))
    assert child in httpd.children()


def limit_processes(pid, soft):
    """As the server's user: root in a container may lack the capability."""
    soft = "unlimited" if soft == resource.RLIM_INFINITY else soft
    server = server_ids()
    subprocess.run(["prlimit", f"--pid={pid}", f"--nproc={soft}:"], check=True,
                   user=server.uid, group=server.gid, extra_groups=[])


@BOTH
def test_no_thread(start, folder, mpm, pinned):
    """Tried: so many processes that no thread or process can be started.
    Might work as something may go on without it, or the child may end, and
    with it all its requests. An error each, nothing runs, the same child
    serves when there is room again."""
    httpd, child = start_one(start, mpm, hosts(folder, pinned) + plain(folder)
                             + "AddHandler lua-script .lua\n")
    expect_served(httpd, child)
    limit_processes(child, 0)
    answer = httpd.get("/file.txt")  # needs none
    assert answer.status == 200 and answer.served_by.is_in_place(ALICE)
    for path, tag, what in (
            ("/whoami.cgi", "PS0208", "not run: starting a process failed"),
            ("/whoami.lua", "PS0202", "not run: no thread for uid")):
        with httpd.expecting(tag) as lines:
            answer = httpd.get(path)
        assert len(lines) == 1 and what in lines[0], lines
        assert answer.status == 500
        assert "Uid" not in answer.text and "file of" not in answer.text
    assert httpd.get("/file.txt", "plain").status == 200
    time.sleep(1.3)  # a child that has something to clear tries for a second
    limit_processes(child, resource.getrlimit(resource.RLIMIT_NPROC)[0])
    expect_served(httpd, child)


@BOTH
def test_little_stack(start, folder, pinned):
    """Tried by mistake: ThreadStackSize too small for two. Warned about, and
    an error each; what needs no thread, CGI included, and what is not covered
    is served by the same child."""
    httpd = start("event", hosts(folder, pinned) + plain(folder)
                  + "AddHandler lua-script .lua\n", modules=["cgi", "lua"],
                  main_config="ThreadStackSize 200000\n",
                  expect=["PS0503", "PS0507"])
    children = proc.wait_until(httpd.children)
    for _ in range(6):
        with httpd.expecting("PS0202"):
            answer = httpd.get("/whoami.lua")
        assert answer.status == 500 and "Uid" not in answer.text
        assert httpd.get("/file.txt").served_by.is_in_place(ALICE)
        assert httpd.get("/whoami.cgi").who.is_(ALICE)
    assert httpd.get("/whoami.cgi", "plain").who.is_server()
    assert children == httpd.children()


def start_without(folder, tenant, *args, **kwargs):
    """A server to which the kernel refuses the tenant's uid, and no other: the
    drop to it fails there."""
    httpd = Httpd(folder, *args, **kwargs)
    done = subprocess.run(
        httpd.command("-k", "start"), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=START_SECONDS, check=False,
        preexec_fn=refuse.setresuid_to(tenant.uid))
    httpd.said = done.stdout
    assert done.returncode == 0, httpd.said + httpd.log()
    assert proc.wait_until(httpd._listens, START_SECONDS), httpd.log()
    return httpd


@BOTH
def test_failed_drop(folder, mpm, pinned):
    """Tried: a tenant whom the kernel refuses. Might work as what comes after
    a failed drop could run half-dropped, or end the child. An error each,
    nothing runs, and the same child serves the others."""
    httpd, child = start_one(
        functools.partial(start_without, folder, BOB), mpm,
        hosts(folder, pinned) + plain(folder)
        + "AddHandler lua-script .lua\n")
    try:
        expect_served(httpd, child)
        assert httpd.get("/file.txt", "bob").served_by.is_in_place(BOB)
        for path, tag in (("/whoami.cgi", "PS0208"),
                          ("/whoami.lua", "PS0201")) * 2:
            with httpd.expecting(tag) as lines:
                answer = httpd.get(path, "bob")
            assert len(lines) == 1 and "setting uids failed" in lines[0]
            assert answer.status == 500, answer.text
            assert "Uid" not in answer.text and "file of" not in answer.text
        expect_served(httpd, child)
    finally:
        httpd.stop()
    assert not httpd.unexpected_lines(), httpd.unexpected_lines()
