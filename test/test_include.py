"""mod_include: what a page includes and executes is its tenant's.

The attacks are about content that httpd still holds when the handler has
returned: a filter that looks at it then must not run commands as the server.
"""
import re

import pytest

from conftest import MPMS
from harness import (ALICE, BOB, TENANTS, WHOAMI_CGI, Who, put, put_folder,
                     shared)
from test_tenants import hosts

EXEC = '<!--#exec cmd="cat /proc/self/status" -->'
# Each is a page; the answer is what /proc says of whoever ran.
REPORTS = {
    "virtual-cgi": '<!--#include virtual="/whoami.cgi" -->',
    "virtual-lua": '<!--#include virtual="/whoami.lua" -->',
    "virtual-page": '<!--#include virtual="/exec-cmd.shtml" -->',
    "exec-cmd": EXEC,
    "exec-cgi": '<!--#exec cgi="/whoami.cgi" -->',
    "conditional": '<!--#if expr="v(\'REQUEST_METHOD\') = \'GET\'" -->'
                   f"{EXEC}<!--#endif -->",
}
FILES = {
    "virtual-file": '<!--#include virtual="/file.txt" -->',
    "file-file": '<!--#include file="file.txt" -->',
    "size": '<!--#fsize file="file.txt" --><!--#echo var="DOCUMENT_NAME" -->',
}


def attack(*lines):
    """A .htaccess that sends all answers through mod_include."""
    return "\n".join(("SetOutputFilter INCLUDES", "Options +Includes",
                      "AddHandler lua-script .lua", *lines, ""))


def lua(text, end):
    return (f"function handle(r)\n r.content_type = 'text/html'\n"
            f" r:puts([[{text}]])\n {end}\nend\n")


# name: (its folder's files, what to ask for, status, whether the command
# runs at all, what the log says). NOTE stands for a command that appends to
# a file who ran it.
ATTACKS = {
    "lua": ({".htaccess": attack(),
             "x.lua": lua("NOTE", "return apache2.OK")},
            "x.lua", 200, True, ()),
    "lua-done": ({".htaccess": attack(),
                  "x.lua": lua("NOTE", "return apache2.DONE")},
                 "x.lua", 200, True, ()),
    "lua-flushed": ({".htaccess": attack(),
                     "x.lua": lua("NOTE", "r:flush() r:puts('<!--')"
                                  " return apache2.OK")},
                    "x.lua", 200, True, ()),
    "lua-404": ({".htaccess": attack(),
                 "x.lua": lua("NOTE", "return 404")}, "x.lua", 404, False, ()),
    "lua-error": ({".htaccess": attack("ErrorDocument 500 \"NOTE\""),
                   "x.lua": lua("NOTE", "error('attack')")},
                  "x.lua", 500, True, ("attack",)),
    "index-head": ({".htaccess": attack("Options +Indexes",
                                        "IndexOptions +FancyIndexing",
                                        'IndexHeadInsert "NOTE"')},
                   "", 200, True, ()),
    "index-readme": ({".htaccess": attack("Options +Indexes",
                                          "ReadmeName README.html"),
                      "README.html": "NOTE"}, "", 200, True, ()),
    "error-text": ({".htaccess": attack('ErrorDocument 404 "NOTE"')},
                   "missing", 404, False, ()),
    "error-text-lua": ({".htaccess": attack('ErrorDocument 404 "NOTE"'),
                        "x.lua": lua("NOTE", "return 404")},
                       "x.lua", 404, False, ()),
    "error-text-cgi": ({".htaccess": attack('ErrorDocument 500 "NOTE"'),
                        "x.cgi": "#!/bin/sh\necho 'NOTE'\n"},
                       "x.cgi", 500, False, ("x.cgi",)),
    "error-text-early": ({".htaccess": attack('ErrorDocument 410 "NOTE"',
                                              "Redirect gone /")},
                         "", 410, False, ()),
    "error-denied": ({".htaccess": attack('ErrorDocument 403 "NOTE"',
                                          "Require all denied")},
                     "", 403, False, ("denied",)),
    "error-page": ({".htaccess": attack("ErrorDocument 404 /DIR/e.shtml"),
                    "e.shtml": "NOTE"}, "missing", 404, True, ()),
    "type-map": ({".htaccess": attack("AddHandler type-map .var"),
                  "x.var": "URI: y.html\nContent-type: text/html\n\n",
                  "y.html": "NOTE"}, "x.var", 200, True, ()),
    "as-is": ({".htaccess": attack("AddHandler send-as-is .asis"),
               "x.asis": "Content-type: text/html\n\nNOTE"},
              "x.asis", 200, True, ()),
}


def put_site(folder, tenant):
    www = folder / "home" / tenant.name / "www"
    for name, text in (REPORTS | FILES).items():
        put(www / f"{name}.shtml", text, 0o644, tenant)
    for name, (files, *_) in ATTACKS.items():
        put_folder(www / name, 0o755, tenant)
        for file, text in files.items():
            note = f"cat /proc/self/status >>{folder}/notes/note"
            quoted = f"<!--#exec cmd='{note}' -->"
            if file.endswith(".cgi"):
                quoted = quoted.replace("'", '"')
            put(www / name / file, text.replace("DIR", name)
                .replace("NOTE", quoted), 0o755, tenant)


@pytest.fixture(scope="module", params=[
    (mpm, pinned) for mpm in MPMS for pinned in (True, False)],
    ids=lambda p: f"{p[0]}-{'pinned' if p[1] else 'owner'}")
def httpd(request):
    def config(folder):
        put_folder(folder / "notes", 0o777)
        for tenant in TENANTS:
            put_site(folder, tenant)
        return hosts(folder, request.param[1], f"""
            Alias /bob {folder}/home/bob/www
            <Directory {folder}/home/bob/www>
            Require all granted
            Options +ExecCGI
            </Directory>""") + """
            AddType text/html .shtml
            AddOutputFilter INCLUDES .shtml
            AddHandler lua-script .lua"""
    modules = ["cgi", "include", "lua", "autoindex", "negotiation", "asis"]
    with shared(request.param[0], config, modules=modules,
                expect=["PS0503"]) as server:
        yield server


HOSTS = (("alice", ALICE), ("bob", BOB), ("plain", None))


def is_(who, tenant):
    return who.is_(tenant) if tenant else who.is_server()


@pytest.mark.parametrize("page", REPORTS)
def test_programs(httpd, page):
    """What a page starts, in any way, is its tenant's."""
    for host, tenant in HOSTS:
        answer = httpd.get(f"/{page}.shtml", host)
        assert answer.status == 200
        assert is_(answer.handled_by, tenant)
        assert is_(answer.who, tenant), answer.text


@pytest.mark.parametrize("page", FILES)
def test_files(httpd, page):
    """A page with the tenant's own files is whole, as in bare httpd."""
    for host, tenant in HOSTS:
        answer = httpd.get(f"/{page}.shtml", host)
        name = "bob" if host == "bob" else "alice"
        assert is_(answer.handled_by, tenant)
        assert answer.text == (f"file of {name}\n" if page != "size" else
                               f"{len(f'file of {name}') + 1:3} size.shtml")


def dashed(name):
    """mod_mime would take ".cgi" in the middle of a page's name, too."""
    return name.replace(".", "-")


def test_neighbour(httpd):
    """A neighbour's files and scripts are included as the kernel lets the
    page's tenant have them; they never run as the neighbour."""
    home = httpd.folder / "home"
    put(home / "bob/www/closed.txt", "closed text", 0o600, BOB)
    put(home / "bob/www/closed.cgi", WHOAMI_CGI, 0o700, BOB)
    for name in ("whoami.cgi", "whoami.lua", "closed.cgi", "closed.txt"):
        put(home / f"alice/www/of-bob-{dashed(name)}.shtml",
            f'<!--#include virtual="/bob/{name}" -->.', 0o644, ALICE)
        put(home / f"bob/www/own-{dashed(name)}.shtml",
            f'<!--#include virtual="/{name}" -->.', 0o644, BOB)
    for name in ("whoami.cgi", "whoami.lua"):
        answer = httpd.get(f"/of-bob-{dashed(name)}.shtml")
        assert answer.handled_by.is_(ALICE)
        assert answer.who.is_(ALICE), answer.text
    for name, says in (("closed.cgi", "Permission denied"),
                       ("closed.txt", "ermission")):
        with httpd.expecting(says, name) as lines:
            answer = httpd.get(f"/of-bob-{dashed(name)}.shtml")
        assert lines and answer.handled_by.is_(ALICE)
        assert "Uid:" not in answer.text and "closed text" not in answer.text
        answer = httpd.get(f"/own-{dashed(name)}.shtml", "bob")
        assert answer.handled_by.is_(BOB)
        assert (answer.who.is_(BOB) if name == "closed.cgi"
                else answer.text == "closed text."), answer.text


@pytest.mark.parametrize("name", ATTACKS)
def test_late_output(httpd, name):
    """Commands in what a handler left behind, in a listing or an error's
    text: as the tenant, or not at all. The bare host shows that the way is
    open: there they run as the server."""
    _, ask, status, runs, says = ATTACKS[name]
    note = httpd.folder / "notes" / "note"
    for host, tenant in HOSTS:
        put(note, "", 0o666)
        with httpd.expecting(*says):
            answer = httpd.get(f"/{name}/{ask}", host)
        assert answer.status == status
        if "x-who" in answer.headers:
            assert is_(answer.handled_by, tenant)
        whos = [Who(t) for t in re.split("(?m)^(?=Name:)",
                                         note.read_text())[1:]]
        assert all(is_(who, tenant) for who in whos), (host, whos)
        assert bool(whos) == runs, (host, answer.text)
