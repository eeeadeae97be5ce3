"""Hosts of every kind, each with a file that its owner alone may read, and
what is asked of them: whom a thread of httpd is, and that nobody is left."""
import contextlib
import http.client
import os
import socket
import ssl
import threading

import proc
from harness import (ALICE, BOB, CAROL, Answer, Tenant, make_homes, put,
                     server_ids, shared, vhost)
from test_leftovers import ONE_WORKER

DAVE = Tenant(30004, 30004, name="dave")
# Pinned, pinned, by document root, by each file's owner, and not covered.
HOSTS = {"alice": (ALICE, f"PSUserGroup {ALICE.ids}"),
         "bob": (BOB, f"PSUserGroup {BOB.ids}"),
         "carol": (CAROL, "PSUserGroup docroot\nPSExAll On"),
         "dave": (DAVE, "PSExAll On"),
         "plain": (None, "")}
BIG = 30_000_000
# Of files that their tenant, or the server, may not read; and of a script
# whose client left amid its header lines.
LOUD = ("AH00132", "unable to check htaccess", "PS0102", "PS0504",
        "End of script", "Premature end of script", "AH01225", "AH02651")
ERRORS = """ErrorDocument 400 /closed.txt
Alias /open HOMES/plain/open
<Location /open>
    PSExAll Off
</Location>
""" + "".join(f"<Location /{name}>\nErrorDocument 404 {said}\n</Location>\n"
              for name, said in (("text", '"words"'), ("file", "/closed.txt"),
                                 ("cgi", "/whoami.cgi"),
                                 ("who", "/whoami.who"),
                                 ("uncovered", "/open/closed.txt")))


def sites(folder, extra=""):
    """home/NAME/www of each, with a file that its owner alone may read; /of/X
    of any host leads to X's. whoami.who is answered inside of httpd."""
    homes = folder / "home"
    make_homes(folder, (DAVE,))
    text = "AddHandler lua-script .lua\nAddHandler who .who\n"
    for name, (tenant, said) in HOSTS.items():
        www = homes / name / "www"
        owner = tenant or server_ids()
        if not tenant:
            make_homes(folder, (Tenant(owner.uid, owner.gid, name=name),))
            www.chmod(0o700)  # a tenant cannot even walk there
            put(homes / "plain/open/closed.txt", "closed of plain\n", 0o600,
                owner)
        put(www / "closed.txt", f"closed of {name}\n", 0o600, owner)
        put(www / "whoami.who", "", 0o600, owner)
        put(www / "big.bin", b"", 0o600, owner)
        os.truncate(www / "big.bin", BIG)
        text += vhost(name, www, f"AliasMatch ^/of/(\\w+)$ {homes}/$1/www/"
                      f"closed.txt\n{said}\n{extra}\n"
                      + ERRORS.replace("HOMES", str(homes)))
    return (f"<Directory {homes}>\nRequire all granted\n</Directory>\n"
            "AddType application/octet-stream .bin\n"
            "MaxKeepAliveRequests 0\nTimeout 2\n" + text)


# Without mod_lua, for which each request ends as the server's (neighbours.c).
def one_worker(mpm, config, modules=(), **kwargs):
    kwargs.setdefault("main_config", "")
    # event closes a kept connection where no other worker is idle
    kwargs["main_config"] += ONE_WORKER[mpm != "prefork"].replace(
        " 1\n", " 6\n" if mpm == "event" else " 1\n").replace(
        "ServerLimit 6\nStartServers 6", "ServerLimit 1\nStartServers 1")
    return shared(mpm, lambda folder: config(folder)
                  + f"LogLevel warn mpm_{mpm}:crit\n",
                  modules=["cgi", *modules], **kwargs)


def backend():
    """Something that speaks a protocol of its own after an upgrade."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            with contextlib.suppress(OSError), listener.accept()[0] as s:
                if b"Upgrade: word" in s.recv(65536):
                    s.sendall(b"HTTP/1.1 101 Switching\r\nUpgrade: word\r\n"
                              b"Connection: Upgrade\r\n\r\n")
                while said := s.recv(65536):
                    s.sendall(said.upper())

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def is_hosts(who, host):
    tenant = HOSTS[host][0]
    return who.is_in_place(tenant) if tenant else (
        who.is_server() and not who.fields["Groups"])


class Kept:
    """A file that http.client does not close: a connection's."""

    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def makefile(self, *_):
        return self

    def close(self):
        pass


class Line:
    """A connection, on which one writes and reads what one wants."""

    def __init__(self, httpd, context=None):
        self.has_http2 = "mod_http2.so" in httpd.conf.read_text()
        self.socket = socket.create_connection(("127.0.0.1", httpd.port), 30)
        if context:
            self.socket = context.wrap_socket(self.socket,
                                              server_hostname="alice.test")
        self.file = self.socket.makefile("rb")

    def send(self, path="/closed.txt", host="alice", method="GET", more="",
             body=""):
        """`more` are header lines."""
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}.test"
                            f"\r\n{more}\r\n{body}".encode())

    def answer(self, method="GET"):
        reply = http.client.HTTPResponse(Kept(self.file), method=method)
        reply.begin()
        return Answer(reply.status, {k.lower(): v for k, v
                                     in reply.getheaders()}, reply.read())

    def get(self, path, host="alice", method="GET", more="", body=""):
        self.send(path, host, method, more, body)
        return self.answer(method)

    def close(self):
        self.file.close()
        self.socket.close()


def expect_own(get, host):
    """The host's own closed file, by whoever it should be; and not the next
    host's. (In owner mode each file is its owner's to show.)"""
    answer = get("/closed.txt", host)
    assert answer.status == 200, answer
    assert answer.text == f"closed of {host}\n"
    assert is_hosts(answer.served_by, host), (host, answer.served_by)
    for other in (HOSTS.keys() - {host} if host != "dave" else ["plain"]):
        answer = get(f"/of/{other}", host)
        assert answer.status == 403, (host, other, answer)
        assert "closed of" not in answer.text


def expect_nothing_left(httpd):
    """All threads are the server's through and through. On event, and of
    HTTP/2's workers, an idle one may reach files as whom it last served, and
    is the server's besides."""
    look = (proc.not_servers if httpd.mpm == "event" or
            "mod_http2.so" in httpd.conf.read_text()
            else proc.not_given_back)
    assert proc.wait_until(lambda: not look(httpd)), look(httpd)
    assert sum(len(proc.threads(p)) for p in httpd.children()) >= 1


def context_for(version):
    context = ssl._create_unverified_context()
    context.minimum_version = context.maximum_version = \
        ssl.TLSVersion[version]
    return context


def forget_sessions(httpd):
    for path in (httpd.folder / "cache").iterdir():
        path.unlink()


def session_owners(httpd):
    owners = set()
    for path in (httpd.folder / "cache").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a temporary one
            owners.add(path.stat().st_uid)
    return owners
