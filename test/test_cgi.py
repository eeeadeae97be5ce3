"""CGI scripts, which the module runs itself: each as its tenant, or refused
where httpd's own modules or the kernel would; and no thread of httpd takes
part. Whichever of mod_cgi and mod_cgid is loaded beside it, or neither."""
import threading

import pytest

import proc
from cgi import (SERVERS, Look, hosts, noted, put_scripts, server_id, site)
from conftest import MPMS
from harness import ALICE, BOB, CAROL, WHOAMI_CGI, Httpd, put, vhost
from test_denials import refused

EXEC = '<!--#exec cmd="cat /proc/self/status" -->'
# Runs until there is a note "go"; its own number is in the note "waits".
WAITS = """#!/bin/sh
echo $$ >NOTES/waits
for _ in $(seq 500); do [ -e NOTES/go ] || sleep 0.02; done
echo Content-Type: text/html
echo
echo "uid $(id -u)"
"""
NPH = """#!/bin/sh
printf 'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n'
cat /proc/self/status
"""


def location(path):
    return f"#!/bin/sh\nprintf 'Location: {path}\\n\\n'\n"


SCRIPTS = {
    "look.cgi": "LOOK", "closed.cgi": ("LOOK", 0o700), "waits.cgi": WAITS,
    "look.mine": "LOOK", "index/index.cgi": "LOOK",
    "on/.htaccess": "Options +ExecCGI", "on/look.cgi": "LOOK",
    "on/nph-x.cgi": NPH,
    "off/.htaccess": "Options -ExecCGI", "off/look.cgi": "LOOK",
    "off/nph-x.cgi": NPH, "off/other-name": "LOOK",
    "folder/.htaccess": "SetHandler cgi-script\n", "folder/look": "LOOK",
    "no-path/.htaccess": "AcceptPathInfo Off", "no-path/look.cgi": "LOOK",
    "bad/mode.cgi": ("LOOK", 0o644), "bad/closed.cgi": ("LOOK", 0o600),
    "bad/program-mode.cgi": "#!/etc/passwd\n",
    "bad/program.cgi": "#!/no/such/program\n",
    "bad/windows.cgi": WHOAMI_CGI.replace("\n", "\r\n"),
    "bad/no-first-line.cgi": WHOAMI_CGI.split("\n", 1)[1],
    "bad/empty.cgi": "",
    "nph.shtml": '<!--#include virtual="/on/nph-x.cgi" -->.',
    "look.shtml": '<!--#include virtual="/look.cgi" -->.',
    "thread/waits.cgi": WAITS,
    "filter/.htaccess": "SetOutputFilter INCLUDES\nOptions +Includes\n",
    "filter/waits.cgi": f"{WAITS}echo '{EXEC}'\n",
    "to-own.cgi": location("/look.cgi"),
    "to-bob.cgi": location("/bob/look.cgi"),
    "to-closed.cgi": location("/bob/closed.cgi"),
    "to-and-fro.cgi": location("/bob/back.cgi"),
    "back.cgi": location("/look.cgi"),
    "errors/.htaccess": "".join(f"ErrorDocument {n} /look.cgi\n"
                                for n in (403, 404, 500)),
    "errors/fails.cgi": "#!/bin/sh\n", "errors/mode.cgi": ("LOOK", 0o644),
    "errors/program.cgi": "#!/no/such/program\n",
}
# Of the host's tenant, of the file's owner, and of carol, whose home is closed
HOSTS = {"alice": ALICE, "bob": BOB, "owner": ALICE, "carol": CAROL}


def config(folder, beside):
    homes = folder / "home"
    put_scripts(folder, SCRIPTS)
    for path in (homes / "carol", *(homes / "carol").rglob("*")):
        path.chmod(path.stat().st_mode & 0o700)
    off = (f"<Directory {homes}/*/www/thread>\nPSCgiSpawn Off\n</Directory>\n"
           if beside == "cgi" else "")
    return f"""{off}
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
AddType application/x-httpd-cgi .mine
DirectoryIndex index.cgi
<Directory {homes}>
    Require all granted
    Options +ExecCGI
</Directory>
""" + hosts(folder, f"Alias /bob {homes}/bob/www\n"
            f"ScriptAlias /cgi-bin/ {homes}/alice/www/off/")


@pytest.fixture(scope="module", params=SERVERS, ids=server_id)
def httpd(request):
    with site(request.param, lambda folder: config(folder, request.param[1]),
              "include") as server:
        yield server


def expect_look(answer, tenant, status=200):
    """What `look` told, when it ran as the tenant with nothing of httpd's."""
    assert answer.status == status, answer
    look = Look(answer.text)
    assert look.is_(tenant), answer.text
    assert sorted(look.fds) == [0, 1, 2], look.fds
    assert look.leads_its_group
    for mask in ("SigIgn", "SigBlk", "SigCgt"):
        assert int(look.fields[mask], 16) == 0, (mask, look.fields[mask])
    return look


@pytest.mark.parametrize("path", ("/look.cgi", "/closed.cgi", "/look.mine",
                                  "/index/", "/look.cgi/path?x=y"))
def test_runs(httpd, path):
    """A script runs as its tenant, in its folder, in a group of its own, with
    three descriptors and no signal set aside: its owner's alone, by media
    type, as an index, and in a closed home too."""
    for host, tenant in HOSTS.items():
        with httpd.expecting():
            look = expect_look(httpd.get(path, host), tenant)
        www = httpd.folder / "home" / tenant.name / "www"
        assert look.cwd == str(www / "index" if "index" in path else www)
        assert look.fds[0] == "/dev/null"
        assert look.fds[1].startswith(("pipe:", "socket:"))
        assert look.fds[2].startswith(("pipe:", "socket:"))


def test_not_covered(httpd):
    """Where nothing is covered the module runs nothing: mod_cgi or mod_cgid
    does, as the server, or the script is a file like any other."""
    with httpd.expecting():
        answer = httpd.get("/whoami.cgi", "plain")
        assert httpd.get("/whoami.cgi").who.is_(ALICE)
    assert answer.status == 200
    if httpd.beside == "alone":
        assert answer.text == WHOAMI_CGI
    else:
        assert answer.who.is_server(), answer


# What is asked for, status, tag and words of the log; what differs little and
# runs.
REFUSED = {
    "exec-off": ("/off/look.cgi", 403, "PS0112", "ExecCGI", "/on/look.cgi"),
    "exec-off-alias": ("/off/look.cgi", 403, "PS0112", "ExecCGI",
                       "/cgi-bin/look.cgi"),
    "exec-off-name": ("/off/look.cgi", 403, "PS0112", "ExecCGI",
                      "/cgi-bin/other-name"),
    "folder": ("/folder/", 403, "PS0112", "", "/folder/look"),
    "path-info": ("/no-path/look.cgi/x", 404, "PS0112", "AcceptPathInfo",
                  "/look.cgi/x"),
    "path-info-off": ("/no-path/look.cgi/x", 404, "PS0112", "AcceptPathInfo",
                      "/no-path/look.cgi"),
    "mode": ("/bad/mode.cgi", 403, "PS0111", "Permission denied",
             "/look.cgi"),
    "closed": ("/bad/closed.cgi", 403, "PS0111", "Permission denied",
               "/closed.cgi"),
    "program-mode": ("/bad/program-mode.cgi", 403, "PS0111",
                     "Permission denied", "/whoami.cgi"),
    "program": ("/bad/program.cgi", 500, "PS0208", "No such file",
                "/whoami.cgi"),
    "windows": ("/bad/windows.cgi", 500, "PS0208", "No such file",
                "/whoami.cgi"),
    "no-first-line": ("/bad/no-first-line.cgi", 500, "PS0208",
                      "Exec format error", "/whoami.cgi"),
    "empty": ("/bad/empty.cgi", 500, "PS0208", "Exec format error",
              "/look.cgi"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(httpd, name):
    """What is not a script, or what the kernel does not execute, is refused
    with one line in the log, which says why; its twin runs."""
    path, status, tag, says, good = REFUSED[name]
    for host in ("alice", "owner"):
        for method in ("GET", "POST"):
            body = "x" * 100_000 if method == "POST" else None
            with httpd.expecting(tag) as lines:
                refused(httpd.get(path, host, method, body), status)
            assert len(lines) == 1 and says in lines[0], lines
            with httpd.expecting():
                answer = httpd.get(good, host, method, body)
            assert answer.status == 200 and answer.who.is_(ALICE), answer


def test_missing(httpd):
    """What is not there is 404, at most with a line that says so."""
    for host in HOSTS:
        with httpd.expecting("") as lines:
            refused(httpd.get("/missing.cgi", host), 404)
        assert all("missing.cgi" in line for line in lines) and len(lines) < 2
        with httpd.expecting():
            assert httpd.get("/look.cgi", host).status == 200


def test_nph(httpd):
    """nph- scripts speak to the client themselves; but not in a page, and
    not where ExecCGI is off."""
    for host in ("alice", "owner"):
        with httpd.expecting():
            answer = httpd.get("/on/nph-x.cgi", host)
        assert answer.status == 200 and answer.who.is_(ALICE), answer
        assert "server" not in answer.headers
        with httpd.expecting("PS0112", "unable to include"):
            answer = httpd.get("/nph.shtml", host)
        assert "Uid:" not in answer.text and answer.text.endswith(".")
        with httpd.expecting("PS0112"):
            refused(httpd.get("/off/nph-x.cgi", host))
        with httpd.expecting():
            assert httpd.get("/look.shtml", host).who.is_(ALICE)


def test_neighbours_script(httpd):
    """Under an alias a neighbour's script is the host's tenant's to run, if
    its mode says so; in owner mode it runs as the neighbour."""
    with httpd.expecting():
        expect_look(httpd.get("/bob/look.cgi"), ALICE)
        expect_look(httpd.get("/bob/look.cgi", "owner"), BOB)
        expect_look(httpd.get("/bob/closed.cgi", "owner"), BOB)
    with httpd.expecting("PS0111"):
        refused(httpd.get("/bob/closed.cgi"))


# ---- which thread

def while_it_waits(httpd, path, host, threads):
    """Whether that many threads were alice's while the script ran, once what
    was before has ended; and its answer."""
    (httpd.notes / "go").unlink(missing_ok=True)
    (httpd.notes / "waits").unlink(missing_ok=True)
    answers = []
    client = threading.Thread(
        target=lambda: answers.append(httpd.get(path, host)))
    client.start()
    try:
        script = noted(httpd, "waits")
        found = proc.wait_until(
            lambda: len(proc.threads_of(httpd, ALICE)) == threads, 3)
        assert proc.alive(script) == script, "ended too soon"
    finally:
        put(httpd.notes / "go")
        client.join()
    return found, answers[0]


def test_no_thread_is_the_tenant(httpd):
    """While a script runs all threads of httpd are the server's; but not
    where PSCgiSpawn is Off and mod_cgi runs it."""
    paths = ["/waits.cgi"] + ["/thread/waits.cgi"] * (httpd.beside == "cgi")
    for host in ("alice", "owner"):
        for path in paths:
            with httpd.expecting():
                found, answer = while_it_waits(httpd, path, host,
                                               int("thread" in path))
            assert found, path
            assert answer.status == 200
            assert answer.text == f"uid {ALICE.uid}\n"
        assert proc.wait_until(lambda: not proc.threads_of(httpd, ALICE))


def test_filter(httpd):
    """Where a .htaccess puts a filter that starts programs on what a script
    prints, the request has a tenant's thread, and the script is run from
    there."""
    for host in ("alice", "owner"):
        with httpd.expecting():
            found, answer = while_it_waits(httpd, "/filter/waits.cgi", host,
                                           1)
        assert found
        assert answer.text.startswith(f"uid {ALICE.uid}\n"), answer
        assert answer.who.is_(ALICE), answer
    assert proc.wait_until(lambda: not proc.threads_of(httpd, ALICE))


class WithOpenFile(Httpd):
    """One that whoever started it has left a descriptor."""

    def command(self, *arguments):
        return ["sh", "-c", 'exec 9</dev/null && exec "$@"', "sh",
                *super().command(*arguments)]


@pytest.mark.parametrize("mpm", MPMS)
def test_descriptors(folder, mpm):
    """What httpd was started with is not a script's, as it is of a bare one's
    with mod_cgi."""
    put_scripts(folder, {"look.cgi": "LOOK"}, [ALICE])
    www = folder / "home/alice/www"
    with WithOpenFile(folder, mpm, vhost("alice", www), modules=["cgi"],
                      load=False) as bare:
        assert 9 in Look(bare.get("/look.cgi").text).fds
    with WithOpenFile(folder, mpm, vhost(
            "alice", www, f"PSUserGroup {ALICE.ids}")) as httpd:
        expect_look(httpd.get("/look.cgi"), ALICE)


# ---- led elsewhere

def test_kept_connection(httpd):
    """Requests of all hosts in turn on one connection: each is its own's."""
    connection = httpd.connection()
    with httpd.expecting():
        for _ in range(3):
            for host, tenant in HOSTS.items():
                for path in ("/look.cgi", "/to-own.cgi"):
                    look = expect_look(httpd.get(
                        path, host, connection=connection), tenant)
                    assert look.env["HTTP_HOST"] == f"{host}.test"
                answer = httpd.get("/file.txt", host, connection=connection)
                assert answer.text == f"file of {tenant.name}\n"
            answer = httpd.get("/file.txt", "plain", connection=connection)
            assert answer.served_by.is_server()
    connection.close()


# Who runs what the Location leads to, on alice's host and in owner mode.
LOCATIONS = {"/to-own.cgi": (ALICE, ALICE), "/to-bob.cgi": (ALICE, BOB),
             "/to-and-fro.cgi": (ALICE, ALICE), "/to-closed.cgi": (None, BOB)}


@pytest.mark.parametrize("path", LOCATIONS)
def test_location(httpd, path):
    """A script can lead to another, which runs as it would have been asked
    for: as the host's tenant, or as its owner."""
    for host, tenant in zip(("alice", "owner"), LOCATIONS[path]):
        for method in ("GET", "POST"):
            with httpd.expecting(*(() if tenant else ("PS0111",))):
                answer = httpd.get(path, host, method,
                                   "body" if method == "POST" else None)
            if not tenant:
                refused(answer)
                continue
            look = expect_look(answer, tenant)
            assert look.env["REQUEST_METHOD"] == "GET"
            assert look.env["REDIRECT_STATUS"] == "200"
            assert look.env["REDIRECT_URL"].endswith(".cgi")
            assert look.fds[0] == "/dev/null"


# Each error, and what the log says: of what is missing, perhaps nothing.
ERRORS = {"missing.txt": (404, ""), "missing.cgi": (404, ""),
          "fails.cgi": (500, "End of script output before headers"),
          "mode.cgi": (403, "PS0111"), "program.cgi": (500, "PS0208")}


@pytest.mark.parametrize("name", ERRORS)
def test_error_document(httpd, name):
    """An error page that is a script; also that of another script."""
    status, says = ERRORS[name]
    for host, tenant in HOSTS.items():
        for method in ("GET", "POST"):
            with httpd.expecting(says):
                answer = httpd.get(f"/errors/{name}", host, method,
                                   "body" if method == "POST" else None)
            look = expect_look(answer, tenant, status)
            assert look.env["REDIRECT_STATUS"] == str(status)
            assert look.env["REDIRECT_URL"] == f"/errors/{name}"
    with httpd.expecting():
        assert "REDIRECT_STATUS" not in Look(httpd.get("/look.cgi").text).env


# ---- PSCgiSpawn

# Modules, the host's lines, whether that passes, and how many threads a
# script has.
SPAWN = {
    "default": (["cgi"], "", True, 0),
    "on": (["cgi"], "PSCgiSpawn On", True, 0),
    "off": (["cgi"], "PSCgiSpawn Off", True, 1),
    "cgid": (["cgid"], "PSCgiSpawn On", True, 0),
    "cgid-off": (["cgid"], "PSCgiSpawn Off", False, None),
    "off-in": (["cgi"], "<Location />\nPSCgiSpawn Off\n</Location>", True,
               1),
    "cgid-off-in": (["cgid"], "<Location />\nPSCgiSpawn Off\n</Location>",
                    False, None),
    "on-in": (["cgi"], "PSCgiSpawn Off\n<Location />\nPSCgiSpawn On\n"
              "</Location>", True, 0),
}


@pytest.mark.parametrize("name", SPAWN)
@pytest.mark.parametrize("mpm", MPMS)
def test_directive(start, folder, mpm, name):
    """PSCgiSpawn Off leaves scripts to mod_cgi, in the tenant's thread, and
    not to mod_cgid; it holds where it stands."""
    modules, lines, passes, in_thread = SPAWN[name]
    put_scripts(folder, {"waits.cgi": WAITS}, [ALICE])
    text = vhost("alice", folder / "home/alice/www",
                 f"PSUserGroup {ALICE.ids}\n{lines}")
    if not passes:
        status, said = Httpd(folder, mpm, text, modules=modules).configtest()
        assert status != 0 and "PS0401" in said, said
        return
    httpd = start(mpm, text, modules=modules)
    httpd.notes = folder / "notes"
    found, answer = while_it_waits(httpd, "/waits.cgi", "alice", in_thread)
    assert found
    assert answer.text == f"uid {ALICE.uid}\n", answer
