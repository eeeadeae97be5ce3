"""What is never covered keeps working with the server's identity, and no
.htaccess can use that to have a file read with it."""
import contextlib
import glob
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest

from harness import (ALICE, BOB, CAROL, Tenant, module_file, new_folder, put,
                     put_folder, server_ids, shared, vhost)
from test_denials import MPMS

# A FastCGI responder on its standard input that tells who it is.
RESPONDER = f"""#!{sys.executable}
import socket, struct
listener = socket.socket(fileno=0)

def record(kind, number, data):
    return struct.pack("!BBHHBx", 1, kind, number, len(data), 0) + data

while True:
    with listener.accept()[0] as c, c.makefile("rwb") as f:
        while len(head := f.read(8)) == 8:
            _, kind, number, length, padding = struct.unpack("!BBHHBx", head)
            f.read(length + padding)
            if kind == 5 and length == 0:
                with open("/proc/self/status", "rb") as status:
                    text = b"Content-Type: text/plain\\n\\n" + status.read()
                f.write(record(6, number, text) + record(6, number, b"")
                        + record(3, number, bytes(8)))
                f.flush()
                break
"""
FPM_CONF = """[global]
error_log = {folder}/fpm.log
daemonize = no
[carol]
user = {uid}
group = {uid}
listen = {folder}/fpm.sock
listen.owner = {server.uid}
listen.group = {server.gid}
listen.mode = 0600
pm = static
pm.max_children = 2
"""


@contextlib.contextmanager
def http_backend():
    """A web server of its own on loopback; yields its port."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"backend")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as s:
        threading.Thread(target=s.serve_forever, daemon=True).start()
        yield s.server_port
        s.shutdown()


@contextlib.contextmanager
def fcgi_backend():
    """php-fpm, or the responder, as carol, on a socket that only the server's
    user may connect to; yields the socket."""
    folder = new_folder()
    path = folder / "fpm.sock"
    fpm = sorted(glob.glob("/usr/sbin/php-fpm*"))
    if fpm:
        conf = put(folder / "fpm.conf", FPM_CONF.format(
            folder=folder, uid=CAROL.uid, server=server_ids()))
        server = subprocess.Popen([fpm[-1], "-F", "-n", "-y", conf])
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            os.chown(path, server_ids().uid, server_ids().gid)
            path.chmod(0o600)
            server = subprocess.Popen(
                [put(folder / "responder", RESPONDER, 0o755)], stdin=listener,
                user=CAROL.uid, group=CAROL.gid, extra_groups=[])
    try:
        end = time.monotonic() + 10
        while not path.exists():
            assert time.monotonic() < end and server.poll() is None
            time.sleep(0.02)
        yield path
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder)


def config(folder, port, sock):
    """Both kinds of covered host, with all that is never covered."""
    www = folder / "home/alice/www"
    ipc = put_folder(folder / "fcgid", owner=server_ids())
    put(www / "x.fcgi", RESPONDER, 0o755, ALICE)
    extra = f"""
ProxyPass /backend http://127.0.0.1:{port}/
<Location /status>\nSetHandler server-status\n</Location>
<Files whoami.php>\nSetHandler "proxy:unix:{sock}|fcgi://carol/"\n</Files>
"""
    return (f"FcgidIPCDir {ipc}\nFcgidProcessTableFile {ipc}/table\n"
            "AddHandler fcgid-script .fcgi\nExtendedStatus Off\n"
            + vhost("alice", www, f"PSExAll On\nPSMinUidGid 1 1{extra}")
            + vhost("pinned", www, f"PSUserGroup {ALICE.ids}{extra}"))


def bare_config(folder):
    www = folder / "home/alice/www"
    return (vhost("alice", www, "PSExAll On\nPSMinUidGid 1 1")
            + vhost("pinned", www, f"PSUserGroup {ALICE.ids}")
            + vhost("plain", www))


@pytest.fixture(scope="module", params=MPMS)
def site(request):
    """With all modules that hand requests over, and their backends."""
    if module_file("fcgid") is None:
        pytest.skip("mod_fcgid is not installed")
    with http_backend() as port, fcgi_backend() as sock, shared(
            request.param, lambda f: config(f, port, sock),
            request.config.getoption("--keep"),
            modules=["cgi", "status", "proxy", "proxy_http", "proxy_fcgi",
                     "fcgid", "rewrite", "reqtimeout"],
            expect=["PS0503", "PS0509"]) as httpd:
        httpd.www = httpd.folder / "home/alice/www"
        httpd.port_of_backend = port
        yield httpd


@pytest.fixture(scope="module", params=MPMS)
def bare(request):
    """With none of them."""
    with shared(request.param, bare_config,
                request.config.getoption("--keep"), modules=["cgi"]) as httpd:
        httpd.www = httpd.folder / "home/alice/www"
        yield httpd


@pytest.mark.parametrize("host", ("alice", "pinned"))
def test_stays_the_servers(site, host):
    """Status, proxies, php-fpm and fcgid answer, asked by the server; what
    stands beside them is the tenant's."""
    with site.expecting():
        for url, said in (("/status", "Server Status"),
                          ("/backend", "backend"), ("/backend/x", "backend"),
                          ("/whoami.php", f"Uid:\t{CAROL.uid}\t"),
                          ("/x.fcgi", f"Uid:\t{server_ids().uid}\t")):
            answer = site.get(url, host)
            assert answer.status == 200, (url, answer)
            assert said in answer.text, (url, answer)
            assert answer.handled_by.is_server(), (url, answer)
        for url in ("/file.txt", "/whoami.cgi"):
            answer = site.get(url, host)
            assert answer.served_by.is_(ALICE)
        assert answer.who.is_(ALICE)


def attack(httpd, name, handler):
    """A folder of alice's with a .htaccess, her own file, and symlinks to
    files that only bob and the server's group, or the server, may read."""
    folder = put_folder(httpd.www / name, owner=ALICE)
    put(folder / ".htaccess", f"SetHandler {handler}\n", 0o644, ALICE)
    put(folder / "own.txt", "own\n", 0o644, ALICE)
    server = server_ids()
    for link, owner, mode in (("bobs", Tenant(BOB.uid, server.gid), 0o640),
                              ("servers", server, 0o600),
                              ("roots", Tenant(0, server.gid), 0o640)):
        secret = put(httpd.folder / "secrets" / link, "secret\n", mode, owner)
        if not (folder / f"{link}.txt").is_symlink():
            (folder / f"{link}.txt").symlink_to(secret)
            os.lchown(folder / f"{link}.txt", ALICE.uid, ALICE.gid)
    return [f"/{name}/{link}.txt" for link in ("bobs", "servers", "roots")]


@pytest.mark.parametrize("handler", (
    "proxy-server", "fcgid-script", "proxy:bogus",
    '"proxy:fcgi://127.0.0.1:1/"', "redirect-handler", "server-status",
    "balancer-manager", "unheard-of"))
def test_handler_that_nobody_takes(bare, handler):
    """A handler's name that excludes from coverage, without its module: the
    file is read as the tenant, so that the symlink leads nowhere, as it does
    where nothing is covered."""
    name = "".join(c for c in handler if c.isalpha())
    links = attack(bare, name, handler)
    for host in ("alice", "pinned"):
        with bare.expecting():
            answer = bare.get(f"/{name}/own.txt", host)
            assert answer.text == "own\n", answer
            assert answer.served_by.is_(ALICE), answer
        for link in links:
            # As root's, it would have to be a file that is only read.
            tag = "PS0101" if "roots" in link else "PS0104"
            with bare.expecting(tag if host == "alice" else "AH00132"):
                answer = bare.get(link, host)
            assert answer.status == 403, (link, answer)
            assert "secret" not in answer.text
    for link in links:
        with bare.expecting():
            answer = bare.get(link, "plain")
        assert answer.text == "secret\n"
        assert answer.served_by.is_server()


# What alice's own file is answered with; None: the module fails on it. (Not
# fcgid-script: mod_fcgid runs any program as the server, as PS0509 says.)
TAKEN = {"proxy-server": "own\n", "server-status": "Server Status",
         "redirect-handler": "own\n", "balancer-manager": "own\n",
         "proxy:bogus": None,
         '"proxy:fcgi://127.0.0.1:1/"': None}


@pytest.mark.parametrize("handler", TAKEN)
def test_handler_that_a_module_takes(site, handler):
    """The same with the modules there: each that declines, or answers from
    memory, does so as the tenant; the others never show the file."""
    name = "".join(c for c in handler if c.isalpha())
    links = attack(site, name, handler)
    said = TAKEN[handler]
    for host in ("alice", "pinned"):
        with site.expecting("") as lines:
            own = site.get(f"/{name}/own.txt", host)
            answers = [site.get(link, host) for link in links]
        assert not any("exit signal" in n for n in lines), lines
        if said:
            assert said in own.text, own
            assert own.served_by.is_(ALICE), own
            assert any("PS0104" in n or "AH00132" in n for n in lines) \
                or handler == "server-status"
        for answer in answers:
            assert "secret" not in answer.text, answer
            if answer.status == 200:
                assert handler == "server-status" and host == "pinned"
                assert answer.served_by.is_(ALICE)


REWRITES = r"""RewriteEngine On
RewriteRule ^to-file$ own.txt
RewriteRule ^to-cgi$ /whoami.cgi
RewriteRule ^to-secret$ bobs.txt
RewriteRule ^away$ http://127.0.0.1:{port}/ [P]
"""


def test_rewrite_in_a_htaccess(site):
    """A rewritten URL starts anew: the file that it leads to is the tenant's,
    and where it leads to a proxy the server asks."""
    attack(site, "rewrite", "default-handler")
    put(site.www / "rewrite/.htaccess",
        REWRITES.format(port=site.port_of_backend), 0o644, ALICE)
    for host in ("alice", "pinned"):
        with site.expecting():
            answer = site.get("/rewrite/to-file", host)
            assert answer.text == "own\n", answer
            assert answer.served_by.is_(ALICE)
            answer = site.get("/rewrite/to-cgi", host)
            assert answer.who.is_(ALICE), answer
            assert answer.served_by.is_(ALICE)
            answer = site.get("/rewrite/away", host)
            assert answer.text == "backend", answer
            assert answer.served_by.is_server()
        with site.expecting("PS0104" if host == "alice" else "AH00132"):
            answer = site.get("/rewrite/to-secret", host)
        assert answer.status == 403
