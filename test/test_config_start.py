"""What a start needs, what it refuses, and what its children are then."""
import itertools
import os
import pathlib
import shutil
import subprocess
import time

import pytest

import refuse

from harness import (ALICE, MOD_WHO, MODULE, WHOAMI_CGI, WHOAMI_LUA, Httpd,
                     Tenant, put, put_folder, server_ids, vhost,
                     with_file_at)

NOBODY = Tenant(65534, 65534)
COVER = {"all": "PSExAll On", "cgi": "PSExCGI On",
         "pinned": f"PSUserGroup {ALICE.ids}"}


def alice(folder, text):
    return vhost("alice", folder / "home/alice/www", text)


def run(httpd, *before, user=None, **how):
    """Start httpd by another command, or as another user; a new object that
    tells the exit status and what was said."""
    if user:
        how |= {"user": user.uid, "group": user.gid, "extra_groups": []}
    done = subprocess.run([*before, *httpd.command("-k", "start")], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, **how)
    httpd.said = done.stdout
    if done.returncode == 0:
        httpd._wait(httpd._listens, 20, "listen")
    return done


@pytest.fixture
def server(folder):
    """server(mpm, config, ...): one that is not started yet."""
    made = []

    def make(mpm, config, **kwargs):
        made.append(Httpd(folder, mpm, config, **kwargs))
        return made[-1]

    yield make
    for httpd in made:
        httpd.stop()
        assert not httpd.unexpected_lines(), httpd.unexpected_lines()


def for_nobody(httpd):
    """Make the server one that nobody can start, from any place."""
    os.chown(httpd.run, NOBODY.uid, NOBODY.gid)
    text = httpd.conf.read_text()
    for module in (MODULE, MOD_WHO):
        copy = httpd.run / module.name
        shutil.copy(module, copy)
        copy.chmod(0o755)
        text = text.replace(str(module), str(copy))
    httpd.conf.write_text(text)
    return httpd


@pytest.mark.parametrize("cover", COVER)
def test_not_root(server, folder, mpm, cover):
    """An ordinary user cannot start what covers, and is told on the console;
    configtest, and the same server without coverage, work."""
    config = alice(folder, COVER[cover])
    httpd = for_nobody(server(mpm, config, modules=["cgi"]))
    done = run(httpd, user=NOBODY)
    assert done.returncode != 0
    assert "PS0402: requests are covered, but httpd was not started as root" \
        in done.stdout
    assert not httpd.pid_file.exists()
    status, said = httpd.configtest(user=NOBODY.uid, group=NOBODY.gid,
                                    extra_groups=[])
    assert status == 0 and said.endswith("Syntax OK\n"), said
    assert "PS04" not in said
    httpd.expect.append("PS0402")
    plain = for_nobody(server(mpm, alice(folder, "PSRootEnable On"),
                              modules=["cgi"]))
    assert run(plain, user=NOBODY).returncode == 0, plain.said
    answer = plain.get("/whoami.cgi")
    assert answer.who.is_(NOBODY) and answer.served_by.is_(NOBODY)


@pytest.mark.parametrize("missing", ("cap_setuid", "cap_setgid"))
def test_root_without_a_capability(server, folder, missing):
    """A root that cannot change ids is refused; any other loss is not."""
    for dropped, refused in ((missing, True), ("cap_sys_nice", False)):
        httpd = server("event", alice(folder, COVER["all"]), modules=["cgi"])
        done = run(httpd, "capsh", f"--drop={dropped}", "--", "-c",
                   'exec "$0" "$@"')
        if refused:
            assert done.returncode != 0
            assert "PS0403: requests are covered, but this root has no " \
                "CAP_SETUID or no CAP_SETGID" in done.stdout
            assert httpd.configtest()[0] == 0
            httpd.expect.append("PS0403")
        else:
            assert done.returncode == 0, done.stdout
            assert httpd.get("/whoami.cgi").who.is_(ALICE)


def test_no_unshare(server, folder):
    """Where the drop could never succeed, a covered server does not start."""
    for cover, refused in ((COVER["all"], True), ("", False)):
        httpd = server("event", alice(folder, cover), modules=["cgi"])
        done = run(httpd, preexec_fn=refuse.unshare_fs())
        assert (done.returncode != 0) == refused, done.stdout
        assert ("PS0407: unshare(CLONE_FS)" in done.stdout) == refused
        if refused:
            httpd.expect.append("PS0407")


def test_dumpable_system(server, folder):
    """fs.suid_dumpable=1 (here only for httpd to read) is refused."""
    for value, refused in (("1", True), ("2", False), ("0", False)):
        said = put(folder / f"suid_dumpable-{value}", value + "\n")
        httpd = server("event", alice(folder, COVER["all"]), modules=["cgi"])
        done = run(httpd, *with_file_at("/proc/sys/fs/suid_dumpable", said))
        assert (done.returncode != 0) == refused, done.stdout
        assert ("PS0404: fs.suid_dumpable is 1" in done.stdout) == refused
        if refused:
            httpd.expect.append("PS0404")
        else:
            assert httpd.get("/whoami.cgi").who.is_(ALICE)


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines())


def check_child(pid, covered, open_):
    """A child's ids and capabilities; and that its own user can look into it
    only where it is `open_`: the kernel shows it as that user's, else as
    root's."""
    status = status_of(pid)
    user = server_ids()
    assert status["Uid"].split() == [str(user.uid)] * 4
    assert status["Gid"].split() == [str(user.gid)] * 4
    assert int(status["CapPrm"], 16) == (0xc0 if covered else 0)
    for name in ("CapEff", "CapInh", "CapAmb"):
        assert int(status[name], 16) == 0, (name, status)
    environ = f"/proc/{pid}/environ"
    assert os.stat(environ).st_uid == (user.uid if open_ else 0)
    peek = subprocess.run(["cat", environ], user=user.uid, group=user.gid,
                          extra_groups=[], capture_output=True)
    assert (peek.returncode == 0) == open_, peek


@pytest.mark.parametrize("core", (False, True), ids=("plain", "coredump"))
@pytest.mark.parametrize("cover", (*COVER, "nothing"))
def test_children(server, folder, mpm, cover, core):
    """A covered server's children hold SETUID and SETGID, permitted only, and
    cannot be looked into by their own user, before the first drop, of a
    process or a thread, as after it; others hold nothing, and are as httpd
    makes them."""
    covered = cover != "nothing"
    www = folder / "home/alice/www"
    httpd = server(mpm, vhost("plain", www) + alice(
        folder, COVER.get(cover, "")) + "AddHandler lua-script .lua\n",
        modules=["cgi", "lua"], expect=["PS0503", "PS0504", "PS0508"],
        main_config=f"CoreDumpDirectory {folder}\n" if core else "").start()
    for path, host in itertools.product(
            ("/whoami.cgi", "/whoami.lua"), ("plain", "alice")):
        answer = httpd.get(path, host)
        assert answer.who.is_(ALICE) if host == "alice" and covered and (
            cover != "cgi" or "cgi" in path) else answer.who.is_server()
        httpd._wait(lambda: all(status_of(pid)["Uid"][0] != "0"
                                for pid in httpd.children()), 20, "settle")
        time.sleep(0.05)
        for pid in httpd.children():
            check_child(pid, covered, open_=core and not covered)


def test_beside_cgid(start, folder):
    """mod_cgid may stand beside what is covered but does not lead to it: a
    script that no directive covers is the server's, as PS0504 says."""
    www = folder / "home/alice/www"
    made = put_folder(www / "made", owner=ALICE)
    put(made / ".htaccess", "SetHandler cgi-script\n", 0o644, ALICE)
    put(made / "x.txt", WHOAMI_CGI, 0o755, ALICE)
    put(www / "x.lua", WHOAMI_LUA, 0o644, ALICE)
    httpd = start("event", "AddHandler lua-script .lua\n" + alice(
        folder, "PSHandlers lua-script"), modules=["cgid", "lua"],
        expect=["PS0503", "PS0504"])
    answer = httpd.get("/x.lua")
    assert answer.who.is_(ALICE) and answer.served_by.is_(ALICE)
    answer = httpd.get("/made/x.txt")
    assert answer.who.is_server() and answer.served_by.is_server()


def test_cgid_never_runs_what_is_covered(server, folder):
    """PSCgiSpawn Off, covered and mod_cgid's: refused at start, or 500 with
    PS0203."""
    www = folder / "home/alice/www"
    made = put_folder(www / "made", owner=ALICE)
    put(made / ".htaccess", "SetHandler cgi-script\n", 0o644, ALICE)
    put(made / "x.txt", WHOAMI_CGI, 0o755, ALICE)
    httpd = server("event", alice(
        folder, "PSHandlers CGI-Script\nPSCgiSpawn Off"),
                   modules=["cgid"], expect=["PS0504", "PS0203"])
    status, said = httpd.configtest()
    if status == 0:
        httpd.start()
        answer = httpd.get("/made/x.txt")
        assert answer.status == 500
        assert "Uid:" not in answer.text and "PS0" not in answer.text
        assert f"PS0203: {made}/x.txt: not run" in httpd.log()
    else:
        assert "PS0401" in said
