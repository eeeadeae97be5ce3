"""PSUserGroup docroot: which document roots are refused, and why; and that no
Host header and no swap makes a request another tenant's."""
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from harness import ALICE, BOB, CAROL, TENANTS, Tenant, put, put_folder, \
    server_ids
from test_denials import (GROUP, OTHERS, OWNER, RACE_LINES, marked, place,
                          ran_as, refused)
from test_docroot import ROOT, as_file, as_script, site  # noqa: F401

# ---- who is refused. Each row makes the document root top/www, bad or good,
# and returns its owner.

def ids(owner):
    return lambda www, bad: os.chown(www, *((owner.uid, owner.gid) if bad
                                            else (ALICE.uid, ALICE.gid)))


def above(owner, mode, good_owner=ROOT, good_mode=0o755):
    def build(www, bad):
        put_folder(www.parent, mode if bad else good_mode,
                   owner if bad else good_owner)
    return build


def mode(bad_mode, good_mode=0o755, gid=None):
    def build(www, bad):
        os.chown(www, ALICE.uid, ALICE.gid)
        www.chmod(bad_mode if bad else good_mode)
    return build


def symlink(owner):
    def build(www, bad):
        www.rename(www.parent / "real")
        www.symlink_to("real")
        os.lchown(www, *((owner.uid, owner.gid) if bad else (0, 0)))
    return build


def file_there(www, bad):
    if bad:
        www.rename(www.parent / "real")
        put(www, "text\n", owner=ALICE)


SERVERS = Tenant(ALICE.uid, server_ids().gid)
REFUSED = {
    # name: (build, tag, words of the log, whether PSTrustedPath Off lifts it)
    "root": (ids(ROOT), "PS0101", "root is no tenant", False),
    "group_root": (ids(Tenant(ALICE.uid, 0)), "PS0101", "root is no", False),
    "servers_group": (ids(SERVERS), "PS0102", "below the minimum", False),
    "uid_below": (ids(Tenant(99, ALICE.gid)), "PS0102", "below the", False),
    "stranger_above": (above(BOB, 0o755, ALICE), "PS0104", OWNER, True),
    "others_above": (above(ROOT, 0o777, ROOT, 0o1777), "PS0104", OTHERS,
                     True),
    "group_above": (above(Tenant(ALICE.uid, BOB.gid), 0o775, ALICE, 0o775),
                    "PS0104", GROUP, True),
    "stranger_sticky": (above(BOB, 0o1777, ALICE), "PS0104", OWNER, True),
    "others": (mode(0o777), "PS0104", OTHERS, True),
    "sticky": (mode(0o1777), "PS0104", OTHERS, True),
    "strangers_symlink": (symlink(BOB), "PS0104", OWNER, True),
    "unseen": (above(ROOT, 0o700, ROOT, 0o711), "PS0105", "cannot be looked",
               False),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(site, name):
    """403, with the reason in the log alone, for every URL of the host; its
    good twin works, and PSTrustedPath Off lifts the path rule alone."""
    build, tag, said, lifted = REFUSED[name]
    for bad in (True, False):
        www = site.pool / f"{name.replace('_', '-')}-{bad}".lower() / "www"
        put_folder(www, owner=ALICE)
        for kind in ("txt", "cgi"):
            place(www, kind, ALICE)
        build(www, bad)
        host = www.parent.name
        for kind in ("txt", "cgi", "none"):
            for domain, runs in (("pool", not bad), ("loose",
                                                     not bad or lifted)):
                with site.expecting(*([] if runs else [tag])) as lines:
                    answer = site.get(f"/x.{kind}", f"{host}.{domain}")
                if not runs:
                    refused(answer)
                    assert "x-who" not in answer.headers
                    line, = lines
                    assert said in line and f"{tag}: {www}: refused" in line
                elif kind == "none":
                    assert answer.status == 404
                else:
                    ran_as(answer, ALICE, kind)


def test_minimum(site):
    """PSMinUidGid of the host, for one of its tenants and not the other."""
    with site.expecting("PS0102: "):
        refused(site.get("/file.txt", "alice.min"))
        as_file(site.get("/file.txt", "bob.min"), BOB, "file of bob\n")


@pytest.mark.parametrize("name", ("nobody", "file", "n" * 250, "n" * 400),
                         ids=("nobody", "file", "long", "too_long"))
def test_unknown(site, name):
    """A host that has no folder is 404, whatever is asked, and no event; so
    is one whose document root is a file."""
    if name == "file":
        file_there(put_folder(site.pool / "file/www", owner=ALICE), True)
    with site.expecting():
        for url in ("/", "/x.cgi", "/none", "/x/../y"):
            answer = site.get(url, f"{name}.pool")
            assert answer.status == 404, answer
            assert "x-who" not in answer.headers, answer
        as_script(site.get("/x.cgi", "alice.pool"), ALICE)


# ---- attacks

def raw(httpd, request):
    """(status, X-Who or None, body) of a request as it stands."""
    with socket.create_connection(("127.0.0.1", httpd.port), 10) as s:
        s.sendall(request.encode("latin-1"))
        s.shutdown(socket.SHUT_WR)
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode("latin-1")
    head, _, body = text.partition("\r\n\r\n")
    if not head.startswith("HTTP/"):  # an answer of HTTP/0.9 has no head
        return 0, "", text
    who = [n.split(": ", 1)[1] for n in head.split("\r\n")
           if n.startswith("X-Who: ")]
    return int(head.split()[1]), who[0] if who else "", body


HOSTS = {  # whose a well-formed name is
    "ALICE.test": ALICE, "alice.TEST": ALICE, "alice.test.": ALICE,
    "alice.test:80": ALICE, "alice.test:0080": ALICE, "alice": ALICE,
    "alice.bob.test": ALICE, "BOB.alice.test": BOB, "bob.": BOB,
}
TRICKS = (
    "..", ".", "../www", "..test", "...test", "...", "..pool.test", ".test",
    "..%2f.test", "%2e%2e.test", "%2e.test", "alice/../bob.test",
    "../bob/www/..", "bob/www/../../alice.test", "/", "alice%00.bob.test",
    "alice\0.bob.test", "\0", "alice\\bob.test", "*.test", "_.test",
    "alice.test, bob.test", "alice.test bob.test", "bob..test", "[::1]", "",
    "127.0.0.1", "alice.test@bob.test", "alice.test:bob", "\xe4.test",
    "x" * 300 + ".test", "x" * 8000, ("y" * 60 + ".") * 20, "%0.test",
    "%1.test", "www.alice.test", "alice.test\r\nHost: bob.test",
)
CONTENT = {f"{what} of {t.name}\n": t for t in TENANTS
           for what in ("file", "closed")} | {"text\n": CAROL}


@pytest.mark.parametrize("form", ("{url} HTTP/1.1\r\nHost: {host}",
                                  "http://{host}{url} HTTP/1.1\r\n"
                                  "Host: bob.test",
                                  "{url} HTTP/1.0\r\nHost: {host}"),
                         ids=("host", "absolute", "old"))
def test_host_tricks(site, form):
    """Whatever stands for a host: content of a tenant that it names, as that
    tenant, or a refusal. (mod_vhost_alias makes "_" of an empty part, and "."
    is a folder's name; these find carol's folders.)"""
    with site.expecting("") as lines:
        for host in (*HOSTS, *TRICKS):
            for url in ("/file.txt", "/../file.txt", "/closed.txt"):
                status, who, body = raw(site, "GET " + form.format(
                    url=url, host=host) + "\r\nConnection: close\r\n\r\n")
                case = (host[:40], url, status, who, body[:80])
                owner = CONTENT.get(body)
                if host in HOSTS and ".." not in url:
                    assert owner is HOSTS[host], case
                if status == 200:
                    assert f" {owner.uid}; Gid" in who, case
                    assert (owner.name in host.lower() or owner is CAROL
                            or (owner is BOB and "http:" in form)), case
                else:
                    assert status in (0, 400, 403, 404, 414), case
                    assert not owner, case
    # Of names too long to be a folder's, see test_unknown.
    assert not [n for n in lines if "exit" in n or (
        "PS0" in n and "too long" not in n)], lines


FLIP = """
import os, sys
os.chdir(sys.argv[1])
while True:
    os.rename("www", "own")
    os.symlink(sys.argv[2], "www")
    os.remove("www")
    os.rename("own", "www")
"""


@contextlib.contextmanager
def flipping(home, other):
    with subprocess.Popen([sys.executable, "-c", FLIP, home, other],
                          user=ALICE.uid, group=ALICE.gid,
                          extra_groups=[]) as flipper:
        try:
            yield
            assert flipper.poll() is None
        finally:
            flipper.kill()


def test_swapped_under_load(site):
    """alice swaps her document root for a symlink to bob's: every answer is
    hers as her, or a refusal."""
    for tenant in (ALICE, BOB):
        home = put_folder(site.pool / f"race-{tenant.name}", owner=tenant)
        www = put_folder(home / "www", 0o700, tenant)
        for kind in ("txt", "cgi"):
            put(www / f"x.{kind}", marked(kind, tenant), 0o700, tenant)
    answers = []
    end = time.monotonic() + 2

    def ask():
        connection = site.connection()
        while time.monotonic() < end:
            for kind in ("txt", "cgi"):
                answers.append((kind, site.get(f"/x.{kind}", "race-alice.pool",
                                               connection=connection)))
            for kind in ("txt", "cgi"):
                answer = site.get(f"/x.{kind}", "race-bob.pool",
                                  connection=connection)
                assert answer.served_by.is_(BOB), answer

    with site.expecting("") as lines, flipping(site.pool / "race-alice",
                                               site.pool / "race-bob/www"):
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    strange = [n for n in lines
               if not any(t in n for t in (*RACE_LINES, "AH00037"))]
    assert not strange, strange
    assert {a.status for _, a in answers} >= {200, 404}
    for kind, answer in answers:
        assert f"owner={BOB.uid}" not in answer.text, answer
        if answer.status == 200:
            assert f"owner={ALICE.uid}\n" in answer.text, answer
            assert answer.served_by.is_(ALICE), answer
            assert kind == "txt" or answer.who.is_(ALICE), answer
