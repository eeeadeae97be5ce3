"""What one tenant could do to another's request: by the environment, by what
httpd has open, by what comes in one packet."""
import os
import re
import socket
import subprocess

import pytest

import proc
from harness import ALICE, BOB, WHOAMI_CGI, put, put_folder, vhost
from test_attacks_more import hosts, plain, start_one

PRELOAD = """#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void run(void)
{
    FILE *f = fopen("NOTE", "a");
    if (f) {
        fprintf(f, "%u\\n", getuid());
        fclose(f);
    }
}
"""
TO_BOBS = {
    "index": ("DirectoryIndex /bob/whoami.cgi\n", ""),
    "fallback": ("FallbackResource /bob/whoami.cgi\n", "missing"),
    "lookup": ("DirectoryIndex deep/\n", ""),
}


@pytest.mark.parametrize("name", TO_BOBS)
def test_environment_for_a_neighbour(start, folder, mpm, name):
    """Tried: alice's SetEnv LD_PRELOAD, and bob's CGI as the index of her
    folder. Might work as httpd puts bob's file into her request, whose
    environment stays, so that her code would run as bob. Refused; as the
    index of root's folder bob's script runs, and so does alice's own."""
    note = put(folder / "note", "", 0o666)
    source = put(folder / "evil.c", PRELOAD.replace("NOTE", str(note)))
    evil = folder / "evil.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", evil, source], check=True)
    pool, www = put_folder(folder / "pool"), folder / "home/alice/www"
    (pool / "bob").symlink_to(folder / "home/bob/www")
    (pool / "alice").symlink_to(www)
    lines, path = TO_BOBS[name]
    said = f"SetEnv LD_PRELOAD {evil}\n"
    for place, owner in ((www / "s", ALICE), (pool / "root", None)):
        put_folder(place, owner=owner)
        put(place / ".htaccess", lines if owner is None else said + lines,
            0o644, owner)
        put(put_folder(place / "deep", owner=owner) / ".htaccess",
            "DirectoryIndex /bob/whoami.cgi\n", 0o644, owner)
    httpd = start(mpm, vhost("pool", pool, "PSExAll On"), modules=["cgi"])
    with httpd.expecting("PS0109"):
        answer = httpd.get(f"/alice/s/{path}", "pool")
    assert answer.status == 403
    assert note.read_text() == ""
    assert httpd.get(f"/root/{path}", "pool").who.is_(BOB)
    put(www / "own/.htaccess", said, 0o644, ALICE)
    os.chown(www / "own", ALICE.uid, ALICE.gid)
    put(www / "own/whoami.cgi", WHOAMI_CGI, 0o755, ALICE)
    assert httpd.get("/alice/own/whoami.cgi", "pool").who.is_(ALICE)
    assert set(note.read_text().split()) == {str(ALICE.uid)}


def test_files_that_httpd_has_open(start, folder, mpm):
    """Tried: links to what httpd has open, /proc/self/fd/N, past a folder
    that is closed to alice. Might work as the kernel asks the file's own mode
    alone. Refused where the host is hers; a link to a file that all may read
    by its name leads there."""
    www = folder / "home/alice/www"
    secret = put(put_folder(folder / "logs", 0o700) / "all.log", "", 0o644)
    put(folder / "open.txt", "open\n")
    httpd = start(mpm, f"CustomLog {secret} short\n"
                  + vhost("alice", www, f"PSUserGroup {ALICE.ids}"))
    httpd.get("/file.txt")
    (www / "open.txt").symlink_to(folder / "open.txt")
    assert httpd.get("/open.txt").text == "open\n"
    child = httpd.children()[0]
    numbers = [n for n in proc.numbers(f"/proc/{child}/fd")
               if os.readlink(f"/proc/{child}/fd/{n}") == str(secret)]
    assert numbers
    for number in numbers:
        link = www / f"{number}.txt"
        link.symlink_to(f"/proc/self/fd/{number}")
        with httpd.expecting("PS0106"):
            answer = httpd.get(f"/{number}.txt")
        assert answer.status == 403 and "GET" not in answer.text, answer


@pytest.mark.parametrize("kinds", (("lua",), ("cgi",), ("lua", "cgi")),
                         ids="-".join)
def test_pipelined_for_two_tenants(start, folder, mpm, kinds):
    """Tried: requests for two tenants in one packet. Might end the child, as
    the second's thread sends the end of the first's response, and would clear
    what that one left. Each is answered, and the child lives."""
    httpd, child = start_one(start, mpm, hosts(folder, True) + plain(folder)
                             + "AddHandler lua-script .lua\n")
    order = [ALICE, ALICE, BOB, ALICE, BOB, BOB] * 3
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", httpd.port), 30) as s:
            s.sendall(b"".join(
                f"GET /whoami.{kinds[i % len(kinds)]} HTTP/1.1\r\n"
                f"Host: {t.name}.test\r\n"
                f"{'Connection: close' if i + 1 == len(order) else 'X: x'}"
                "\r\n\r\n".encode() for i, t in enumerate(order)))
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        assert re.findall(r"(?m)^Uid:\s(\d+)", text) == [
            str(t.uid) for t in order]
    assert httpd.children() == [child]
