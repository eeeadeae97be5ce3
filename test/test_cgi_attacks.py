"""What a tenant, or a client, can try with the scripts that the module runs:
each attack, why it might work, and beside it the same thing that is right."""
import contextlib
import functools
import os
import pty
import re
import shlex
import signal
import subprocess

import pytest

import proc
from cgi import Look, Talk, hosts, put_scripts
from conftest import MPMS
from harness import (ALICE, BOB, CAROL, Httpd, Tenant, is_zombie, new_folder,
                     put, put_folder, shared, vhost)

ROOT = Tenant(0, 0)

# A redirect, said at once and by a program that starts fast.
REDIRECT = r"""
#include <unistd.h>
int main(void)
{
    return write(1, "Location: " TO "\n\n", sizeof("Location: " TO "\n\n") - 1)
           < 0;
}
"""
# Loaded into a process, it leaves a note of whose that is.
PRELOADED = r"""
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void leave_note(void)
{
    FILE *note = fopen(NOTE, "a");
    if (note) {
        fprintf(note, "%d\n", (int)geteuid());
        fclose(note);
    }
}
"""
BODY = """#!/bin/sh
echo Content-Type: text/plain
echo
echo "$CONTENT_LENGTH.$(wc -c)."
cat /proc/self/status
"""
TERMINAL = "(exec 3<>/dev/tty) 2>&1 && echo opened"
SCRIPTS = {
    "look.cgi": "LOOK", "body.cgi": BODY,
    "nph-x.cgi": "#!/bin/sh\ncat >/dev/null\nprintf 'HTTP/1.1 200 OK\\r\\n"
                 "Connection: close\\r\\n\\r\\n'\nid -u\n",
    "terminal.cgi": "#!/bin/sh\necho Content-Type: text/plain\necho\n"
                    f"cat /proc/$$/status /proc/$$/stat\n{TERMINAL}\n",
}


@functools.lru_cache(None)
def built(source, *flags):
    """A program, as bytes."""
    folder = new_folder()
    subprocess.run(["cc", "-O1", "-w", *flags, "-o", folder / "it", "-xc",
                    "-"], input=source, text=True, check=True)
    data = (folder / "it").read_bytes()
    (folder / "it").unlink()
    folder.rmdir()
    return data


SET = '<!--#set var="EVIL" value="evil" -->'
INCLUDE = '<!--#include virtual="/bob/look.cgi" -->'
# Whose the page is, in whose folder, and its text. What is "swapped" is, once
# it is read, a link to a page of bob's.
PAGES = {
    "own": (BOB, BOB, SET + INCLUDE),
    "own-exec": (BOB, BOB, SET + '<!--#exec cgi="/bob/look.cgi" -->'),
    "through": (BOB, BOB, INCLUDE),
    "evil": (CAROL, CAROL, SET + INCLUDE),
    "exec": (CAROL, CAROL, SET + '<!--#exec cgi="/bob/look.cgi" -->'),
    "preload": (CAROL, CAROL, '<!--#set var="LD_PRELOAD" value="PRELOADED" -->'
                + INCLUDE),
    "nested": (CAROL, CAROL,
               f'{SET}<!--#include virtual="/bob/through.shtml" -->'),
    "swapped": (CAROL, CAROL, f'{SET}<!--#include virtual="/swap.cgi" -->'
                              f"{INCLUDE}"),
    "carols-own": (CAROL, CAROL, f'{SET}<!--#include virtual="/look.cgi" -->'),
    "roots": (ROOT, ROOT, SET + INCLUDE),
    "roots-loose": (ROOT, ROOT, SET + INCLUDE),
}


def put_pages(folder):
    homes = folder / "home"
    where = {BOB: homes / "bob/www", CAROL: homes / "carol/www",
             ROOT: put_folder(folder / "roots")}
    put(homes / "carol/evil.so", built(
        PRELOADED, "-shared", "-fPIC", f'-DNOTE="{folder}/notes/preloaded"'),
        0o755, CAROL)
    for name, (owner, place, text) in PAGES.items():
        put(where[place] / f"{name}.shtml",
            text.replace("PRELOADED", str(homes / "carol/evil.so")),
            0o666 if "loose" in name else 0o644, owner)
    carols = put_folder(homes / "carol/www/set", 0o755, CAROL)
    put(carols / "roots.shtml", INCLUDE, 0o644, ROOT)
    put(carols / ".htaccess", "SetEnv EVIL evil\n", 0o644, CAROL)
    put(homes / "carol/www/swap.cgi", "#!/bin/sh\n"
        f"ln -sf {homes}/bob/www/own.shtml swapped.shtml\necho\n", 0o755,
        CAROL)


def config(folder):
    homes = folder / "home"
    put_scripts(folder, SCRIPTS)
    for to in ("file.txt", "body.cgi"):
        put(homes / f"alice/www/to-{to.replace('.', '-')}.cgi",
            built(REDIRECT, f'-DTO="/{to}"'), 0o755, ALICE)
    put_pages(folder)
    also = f"Alias /bob {homes}/bob/www\nAlias /roots {folder}/roots\n"
    return f"""
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
<Directory {homes}>
    Require all granted
    Options +ExecCGI +Includes
</Directory>
<Directory {folder}/roots>
    Require all granted
    Options +Includes
</Directory>
""" + hosts(folder) + "".join(
        vhost(name, homes / "carol/www", also + extra)
        for name, extra in HOSTS_OF_PAGES.items())


HOSTS_OF_PAGES = {
    "pages": "PSExCGI On", "loose": "PSExCGI On\nPSTrustedPath Off",
    "all": "PSExAll On",
    "pinned": f"PSUserGroup {CAROL.ids}\nPSExAll Off\nPSExCGI On",
}


@pytest.fixture(scope="module", params=MPMS)
def httpd(request):
    with shared(request.param, config, modules=["include", "cgi"],
                expect=["PS0504"]) as server:
        server.notes = server.folder / "notes"
        yield server


# ---- a request's body

INSIDE = "GET /look.cgi?inside HTTP/1.1\r\nHost: alice.test\r\n\r\n"
KINDS = {"sized": (f"Content-Length: {len(INSIDE)}\r\n", INSIDE),
         "chunked": ("Transfer-Encoding: chunked\r\n",
                     f"{len(INSIDE):x}\r\n{INSIDE}\r\n0\r\n\r\n")}


@pytest.mark.parametrize("kind", KINDS)
def test_body_is_no_request(httpd, kind):
    """Tried: a body that is a request, to a script that redirects before it is
    read. Might work as what is left of it stands where the next request
    does, and would be answered to whoever asks next."""
    more, body = KINDS[kind]
    for host in ("alice", "owner"):
        for _ in range(10):
            with Talk(httpd) as talk, httpd.expecting():
                talk.socket.settimeout(10)
                answer = talk.get("/to-file-txt.cgi", host, "POST", more, body)
                assert answer.text == "file of alice\n", answer
                assert answer.served_by.is_(ALICE)
                look = Look(talk.get("/look.cgi?next", host).text)
                assert look.env["QUERY_STRING"] == "next"
                assert look.is_(ALICE)
    with Talk(httpd) as talk, httpd.expecting():
        answer = talk.get("/to-file-txt.cgi", "alice", "POST",
                          "Content-Length: 0\r\n", INSIDE)
        assert answer.text == "file of alice\n"
        look = Look(talk.answer().text)
        assert look.env["QUERY_STRING"] == "inside" and look.is_(ALICE)


@pytest.mark.parametrize("kind", KINDS)
def test_body_goes_nowhere_else(httpd, kind):
    """Tried: a redirect to another script, amid a body. Might work as that
    one's standard input would be what the first has left."""
    more, body = KINDS[kind]
    for host in ("alice", "owner"):
        for _ in range(3):
            with Talk(httpd) as talk, httpd.expecting():
                talk.socket.settimeout(10)
                for path, says in (
                        ("/to-body-cgi.cgi", ".0."),
                        ("/body.cgi", f"{len(body) if kind == 'sized' else ''}"
                                      f".{len(INSIDE)}.")):
                    answer = talk.get(path, host, "POST", more, body)
                    assert answer.text.splitlines()[0] == says
                    assert answer.who.is_(ALICE)


def test_nph(httpd):
    """Tried: a body that is none, to a script that writes its own head lines.
    Might work as httpd's answer to that has no header lines then, and is for
    the client to make sense of."""
    for host in ("alice", "owner"):
        for body, says in (("xyz\r\n", rb"(HTTP/1\.1 400 .*)?"),
                           (KINDS["chunked"][1], b"HTTP/1.1 200 OK\r\n.*"
                            + f"\r\n\r\n{ALICE.uid}\n".encode())):
            with Talk(httpd) as talk, httpd.expecting():
                talk.socket.settimeout(10)
                talk.send("/nph-x.cgi", host, "POST",
                          "Transfer-Encoding: chunked\r\n", body)
                assert re.fullmatch(says, talk.file.read(), re.S)


# ---- httpd's terminal

@contextlib.contextmanager
def on_terminal(httpd, flag, before):
    """The server in the foreground of a terminal, behind a command there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv("/bin/sh", ["sh", "-c", f'{before}; exec "$0" "$@"',
                             *httpd.command(flag)])
    try:
        httpd._wait(httpd._listens, 20, "listen")
        yield os.getsid(pid)
    finally:
        os.kill(pid, signal.SIGTERM)
        if not proc.wait_until(lambda: is_zombie(pid)):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


@pytest.fixture(scope="module")
def terminals():
    """Where a tree has none (debootstrap's), they are made for a while."""
    try:
        for fd in os.openpty():
            os.close(fd)
        yield
    except OSError:
        subprocess.run(["mount", "-t", "devpts", "devpts", "/dev/pts"],
                       check=True)
        yield
        subprocess.run(["umount", "/dev/pts"], check=True)


@pytest.mark.usefixtures("terminals")
@pytest.mark.parametrize("flag", ("-DFOREGROUND", "-X"))
def test_terminal(folder, mpm, flag):
    """Tried: /dev/tty, from a script of a server that was started by hand.
    Might work as the script would be of the session of root's shell, and type
    into it (TIOCSTI), or be sent its signals."""
    put_scripts(folder, SCRIPTS)
    notes = folder / "notes"
    shell = ["setpriv", f"--reuid={ALICE.uid}", f"--regid={ALICE.gid}",
             "--clear-groups", "sh", "-c", TERMINAL]
    server = Httpd(folder, mpm, hosts(folder), modules=["cgi"])
    with on_terminal(server, flag,
                     f"{shlex.join(shell)} >{notes}/shell") as session:
        for host, tenant in (("alice", ALICE), ("owner", ALICE),
                             ("bob", BOB), ("plain", None)):
            answer = server.get("/terminal.cgi", host)
            assert answer.status == 200
            pid, stat = re.search(r"^(\d+) \(.*\) (.*)$", answer.text,
                                  re.M).groups()
            in_session, terminal = map(int, stat.split()[3:5])
            if tenant:
                assert answer.who.is_(tenant)
                assert in_session == int(pid) and terminal == 0
                assert "No such device or address" in answer.text
            else:
                assert answer.who.is_server()
                assert in_session == session and terminal != 0
            assert answer.text.endswith("\nopened\n") == (tenant is None)
        assert (notes / "shell").read_text() == "opened\n"
    assert not server.unexpected_lines(), server.unexpected_lines()


# ---- the environment, by a page

# Page, host, and who runs bob's script, or why nobody does.
INCLUDES = {
    "evil": ("/evil", "pages", "PS0113"),
    "preload": ("/preload", "pages", "PS0113"),
    "exec": ("/exec", "pages", "PS0113"),
    "nested": ("/nested", "pages", "PS0113"),
    "swapped": ("/swapped", "pages", "PS0113"),
    "roots-loose": ("/roots/roots-loose", "pages", "PS0113"),
    "htaccess": ("/set/roots", "pages", "PS0109"),
    "own": ("/bob/own", "pages", BOB),
    "own-exec": ("/bob/own-exec", "pages", BOB),
    "through": ("/bob/through", "pages", BOB),
    "carols-own": ("/carols-own", "pages", CAROL),
    "roots": ("/roots/roots", "pages", BOB),
    "evil-loose": ("/evil", "loose", BOB),
    "preload-loose": ("/preload", "loose", BOB),
    "evil-all": ("/evil", "all", CAROL),
    "preload-all": ("/preload", "all", CAROL),
    "evil-pinned": ("/evil", "pinned", CAROL),
    "preload-pinned": ("/preload", "pinned", CAROL),
}


@pytest.mark.parametrize("name", INCLUDES)
def test_environment(httpd, name):
    """Tried: a page that sets LD_PRELOAD, or any variable, and includes a
    neighbour's script, itself or by a page of his. Might work as what a page
    includes has the page's variables, and in owner mode runs as its owner."""
    path, host, runs = INCLUDES[name]
    note = httpd.notes / "preloaded"
    note.unlink(missing_ok=True)
    with httpd.expecting("") as lines:
        answer = httpd.get(f"{path}.shtml", host)
    assert answer.status == 200
    if isinstance(runs, str):
        assert "Uid:" not in answer.text, Look(answer.text).env.get("EVIL")
        assert not note.exists()
        assert runs in lines[0] and len(lines) <= 2
        return
    look = Look(answer.text)
    assert look.is_(runs) and not lines
    if "preload" in name:
        assert note.read_text() == f"{runs.uid}\n"
    else:
        assert look.env.get("EVIL") == (None if name == "through" else "evil")
