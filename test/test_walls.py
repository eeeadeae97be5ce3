"""What a tenant's processes try against httpd, and what stands in the way."""
import contextlib
import errno
import os
import pathlib
import subprocess
import time

import pytest

import proc
from harness import ALICE, BOB, Httpd, put, put_folder, server_ids
from walls import (DENIED, all_threads, attack, hosts, kinds, running, serve,
                   tries)

DUMPABLE = pathlib.Path("/proc/sys/fs/suid_dumpable")
YAMA = pathlib.Path("/proc/sys/kernel/yama/ptrace_scope")


@pytest.mark.parametrize("core", (False, True), ids=("", "CoreDumpDirectory"))
def test_another_process_of_hers(start, folder, mpm, core):
    """While alice's script runs in a thread of httpd, or beside it, no process
    of alice's, or of bob's, opens the memory of that thread, traces it, or
    takes a descriptor; nor of any other thread. With a process of her own she
    can."""
    if core:
        dumps = put_folder(folder / "dumps", owner=server_ids())
    httpd = serve(start, folder, mpm, **(dict(
        main_config=f"CoreDumpDirectory {dumps}\n", expect=["PS0508"])
        if core else {}))
    for kind in kinds(mpm):
        with running(httpd, kind) as (pids, tids):
            every = all_threads(pids)
            assert pids and set(tids) < set(every)
            for tenant in (ALICE, BOB):
                said = attack(folder, tenant, *pids,
                              *(f"t{tid}" for tid in every))
                assert len(said) == 12 * (len(pids) + len(every))
                allowed = {k: v for k, v in said.items() if v not in DENIED
                           and not (k[0] == "t" and v == errno.EINVAL
                                    and "get a" in k)}  # before Linux 6.9
                assert not allowed, (kind, tenant.name, allowed)
    if YAMA.exists() and int(YAMA.read_text()) > 1:
        return  # nobody traces anybody here
    said = attack(folder, ALICE, "own")
    assert len(said) == 12 and set(said.values()) == {0}, said


def test_scripts_are_processes_of_their_own(start, folder, mpm):
    """alice's running CGI program is hers to look into, and not bob's."""
    httpd = serve(start, folder, mpm)
    with running(httpd, "cgi"):
        script = proc.scripts(httpd)[0]
        for tenant in (ALICE, BOB):
            said = attack(folder, tenant, script)
            for what in ("mem, read", "environ", "maps", "descriptors"):
                denied = said[f"{script} {what}"] in DENIED
                assert denied == (tenant is BOB), (tenant, what, said)


SIGNALS = """#!/usr/bin/perl
print "Content-Type: text/plain\n\n";
for (split(/,/, $ENV{QUERY_STRING}), $$) {
    print "try $_: ", (kill(0, $_) ? 0 : $! + 0), "\n"; }
"""


def signals(httpd, host, ids):
    """{id: errno or 0} of kill -0 by a CGI program of the host's tenant,
    which can signal itself."""
    answer = httpd.get(f"/signals.cgi?{','.join(map(str, ids))}", host)
    assert answer.status == 200
    *said, own = tries(answer.text).values()
    assert own == 0 and len(said) == len(ids), answer.text
    return dict(zip(ids, said))


def test_signals(start, folder, mpm):
    """No tenant's program can signal httpd's processes and threads, nor a
    neighbour's program. The thread of httpd that runs alice's script is hers
    to signal, and so to end with its process (README, "What is not
    protected"): not bob's, and only so long. CGI has no such thread."""
    httpd = serve(start, folder, mpm)
    for tenant in (ALICE, BOB):
        put(folder / f"home/{tenant.name}/www/signals.cgi", SIGNALS, 0o755,
            tenant)
    with running(httpd, "cgi") as (pids, _):
        scripts = proc.scripts(httpd)
        for host in ("alice", "bob"):
            said = signals(httpd, host, [httpd.pid, *all_threads(pids)])
            assert set(said.values()) == {errno.EPERM}, said
        assert set(signals(httpd, "alice", scripts).values()) == {0}
        assert set(signals(httpd, "bob", scripts).values()) == {errno.EPERM}
    with running(httpd, "lua") as (pids, tids):
        others = set(all_threads(pids)) - set(tids)
        for host in ("alice", "bob"):
            said = signals(httpd, host, [httpd.pid, *others])
            assert set(said.values()) == {errno.EPERM}, said
        assert set(signals(httpd, "alice", tids).values()) == {0}
        assert set(signals(httpd, "bob", tids).values()) == {errno.EPERM}
    said = signals(httpd, "alice", tids)
    assert set(said.values()) == {errno.ESRCH}, said


ENDS_ITS_GROUP = "trap '' TERM; kill -TERM 0 && echo sent"
TO_THE_GROUP = {
    "cgi": f"#!/bin/sh\necho\n{ENDS_ITS_GROUP}\n",
    "lua": f"""function handle(r)
    r:puts(io.popen([[{ENDS_ITS_GROUP}]]):read("*a"))
    return apache2.OK
end
"""}


@pytest.mark.parametrize("kind", TO_THE_GROUP)
def test_signal_to_the_group(start, folder, mpm, kind):
    """A program that ends its whole process group, which is a CGI program's
    own, but httpd's where a handler inside of httpd has started it, ends
    nobody but itself."""
    httpd = serve(start, folder, mpm)
    put(folder / f"home/alice/www/group.{kind}", TO_THE_GROUP[kind], 0o755,
        ALICE)
    before = httpd.children()
    answer = httpd.get(f"/group.{kind}")
    assert answer.status == 200 and answer.text == "sent\n"
    time.sleep(0.2)
    assert set(before) <= set(httpd.children())
    assert httpd.get("/whoami.cgi", "bob").who.is_(BOB)


def test_killed_thread(start, folder, mpm):
    """A tenant who kills the thread that runs her script ends that child of
    httpd (README, "What is not protected"); bob is served by the next one,
    and alice's thread has left nothing capable behind."""
    httpd = serve(start, folder, mpm)
    with running(httpd, "lua") as (_, tids):
        child = [pid for pid in httpd.children() if tids[0] in
                 proc.threads(pid)]
        subprocess.run(["kill", "-KILL", str(tids[0])], user=ALICE.uid,
                       group=ALICE.gid, extra_groups=[], check=True)
        assert proc.wait_until(lambda: not proc.alive(child))
    assert proc.wait_until(httpd.children)
    answer = httpd.get("/whoami.lua", "bob")
    assert answer.status == 200 and answer.who.is_(BOB)
    assert proc.wait_until(lambda: not proc.not_servers(httpd))


def test_killed_script(start, folder, mpm):
    """A tenant who sends KILL to all that she sees while her CGI program runs
    ends that program, and nothing of httpd: the same children serve bob."""
    httpd = serve(start, folder, mpm)
    with running(httpd, "cgi") as (pids, _):
        scripts, threads = proc.scripts(httpd), all_threads(pids)
        for target in (httpd.pid, *threads, *scripts):
            done = subprocess.run(["kill", "-KILL", str(target)], check=False,
                                  user=ALICE.uid, group=ALICE.gid,
                                  extra_groups=[], stderr=subprocess.PIPE)
            # Its second process may have ended with the first.
            assert (done.returncode != 0) == (target not in scripts) \
                or target == scripts[-1], (target, scripts, done)
        assert proc.wait_until(lambda: not proc.alive(scripts))
    assert httpd.children() == pids
    assert set(all_threads(pids)) >= set(threads)
    assert httpd.get("/whoami.lua", "bob").who.is_(BOB)
    assert httpd.get("/whoami.cgi", "alice").who.is_(ALICE)
    assert not proc.not_servers(httpd)


@contextlib.contextmanager
def suid_dumpable(value):
    """The whole system's, so for as short as can be."""
    before = DUMPABLE.read_text()
    try:
        DUMPABLE.write_text(value)
    except OSError as e:
        pytest.skip(f"{DUMPABLE}: {e}")
    try:
        yield
    finally:
        DUMPABLE.write_text(before)


@pytest.mark.parametrize("mpm", ("prefork",))
def test_suid_dumpable_at_start(start, folder, mpm):
    """fs.suid_dumpable 1 would open httpd's memory: it does not start."""
    httpd = Httpd(folder, mpm, hosts(folder), modules=["include"])
    with suid_dumpable("1"):
        done = subprocess.run(httpd.command("-k", "start"), text=True,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60,
                              check=False)
    assert done.returncode != 0 and "PS0404" in done.stdout, done
    assert not httpd.pid_file.exists()
    httpd.start()
    httpd.stop()


def test_suid_dumpable_while_running(start, folder, mpm):
    """Set to 1 under a running httpd: what is covered gets 500 and does not
    run, httpd stays closed, and goes on when it is 0 again."""
    httpd = serve(start, folder, mpm)
    assert httpd.get("/whoami.lua").who.is_(ALICE)
    with httpd.expecting("PS0207"):
        with suid_dumpable("1"):
            answers = [httpd.get("/whoami.lua"), httpd.get("/whoami.cgi")]
            plain = httpd.get("/file.txt", "plain")
            owners = {os.stat(f"/proc/{pid}/environ").st_uid
                      for pid in httpd.children()}
        for answer in answers:
            assert answer.status == 500 and "Uid" not in answer.text, answer
    assert plain.status == 200 and plain.served_by.is_server()
    assert owners == {0}  # a dumpable process's are its user's
    for path in ("/whoami.lua", "/whoami.cgi"):
        assert httpd.get(path).who.is_(ALICE)


def test_suid_dumpable_2(start, folder, mpm):
    """2 (dumps for root only) is as safe as 0."""
    with suid_dumpable("2"):
        httpd = serve(start, folder, mpm)
        for kind in ("lua", "cgi"):
            with running(httpd, kind) as (pids, _):
                said = attack(folder, ALICE, *pids,
                              *(f"t{tid}" for tid in all_threads(pids)))
            assert set(said.values()) <= DENIED, said
