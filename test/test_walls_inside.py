"""What a tenant's script tries from where httpd has put it."""
import collections
import contextlib
import functools
import re
import subprocess

import pytest

from harness import ALICE, BOB, Httpd, put, server_ids
from test_config_start import run
from walls import hosts, kinds, serve, tries

# Each in a process of its own: whether it is somebody else afterwards.
BACK = r"""#!/usr/bin/perl
use POSIX ();
my ($uid, $gid) = (UID, GID);
my %tries = (
    setuid => sub { POSIX::setuid($uid); $> == $uid },
    setgid => sub { POSIX::setgid($gid); $) == $gid },
    euid => sub { $> = $uid; $> == $uid },
    ruid => sub { $< = $uid; $< == $uid },
    uids => sub { ($<, $>) = ($uid, $uid); $> == $uid },
    egid => sub { $) = "$gid $gid"; (split " ", $))[0] == $gid },
    groups => sub { $) = (split " ", $))[0] . " $gid"; $) =~ / $gid( |$)/ },
);
print "Content-Type: text/plain\n\n";
$| = 1;
for my $what (sort keys %tries) {
    my $pid = fork // die;
    exit($tries{$what}->() ? 1 : 0) if !$pid;
    waitpid $pid, 0;
    print "try $what: ", $? >> 8, "\n";
}
system "cat /proc/self/status";
"""


@pytest.mark.parametrize("uid, gid", (
    (server_ids().uid, server_ids().gid), (BOB.uid, BOB.gid), (0, 0)),
    ids=("server", "bob", "root"))
def test_no_way_back(start, folder, mpm, uid, gid):
    """A CGI program of alice's tries to become the server's user, bob or
    root: no call of setuid(2)'s family does it, and it has no capability.
    Run by root, each of its tries succeeds."""
    httpd = serve(start, folder, mpm)
    script = put(folder / "home/alice/www/back.cgi",
                 BACK.replace("UID", str(uid)).replace("GID", str(gid)), 0o755,
                 ALICE)
    answer = httpd.get("/back.cgi")
    assert answer.status == 200 and answer.who.is_(ALICE), answer
    said = tries(answer.text)
    assert len(said) == 7 and set(said.values()) == {0}, said
    done = subprocess.run([script], text=True, stdout=subprocess.PIPE,
                          check=True)
    assert uid == 0 or set(tries(done.stdout).values()) == {1}, done.stdout


OWN_MEMORY = {
    "cgi": """#!/usr/bin/perl
print "Content-Type: text/plain\n\n";
for ("<", "+<") {
    my $opens = open(my $f, $_, "/proc/thread-self/mem");
    print "try $_: ", ($opens ? 1 : 0), "\n"; }
system "cat /proc/self/status";
""",
    "lua": """function handle(r)
    r.content_type = "text/plain"
    for _, mode in ipairs{"r", "r+"} do
        local f = io.open("/proc/thread-self/mem", mode)
        r:puts("try " .. mode .. ": " .. (f and 1 or 0) .. "\\n")
    end
    r:puts(io.open("/proc/thread-self/status"):read("*a"))
    return apache2.OK
end
""",
    "php": """<?php clearstatcache(true);
header("Content-Type: text/plain");
foreach (["r", "r+"] as $mode) {
    $f = @fopen("/proc/thread-self/mem", $mode);
    echo "try $mode: ", $f ? 1 : 0, "\n"; }
echo file_get_contents("/proc/thread-self/status");
""",
}


def test_memory_from_inside(start, folder, mpm):
    """A script inside of httpd cannot open httpd's memory by its name, which
    would need no bug of its interpreter. A CGI program can open its own."""
    httpd = serve(start, folder, mpm)
    for kind in kinds(mpm):
        put(folder / f"home/alice/www/own.{kind}", OWN_MEMORY[kind], 0o755,
            ALICE)
        answer = httpd.get(f"/own.{kind}")
        assert answer.status == 200 and answer.who.is_(ALICE), answer
        said = list(tries(answer.text).values())
        assert said == ([1, 1] if kind == "cgi" else [0, 0]), (kind, said)


LIST = "ls -l /proc/self/fd"
DESCRIPTORS = {
    "cgi": f"#!/bin/sh\necho Content-Type: text/plain\necho\n{LIST}\n",
    "lua": f"""function handle(r)
    r.content_type = "text/plain"
    r:puts(io.popen("{LIST}"):read("*a"))
    return apache2.OK
end
""",
    "shtml": f'<!--#exec cmd="{LIST}" -->\n',
    "php": f'<?php echo shell_exec("{LIST}");\n',
}


def inherited(httpd, kind):
    """Counter of what a program started by the script finds open."""
    answer = httpd.get(f"/list.{kind}")
    assert answer.status == 200
    found = re.findall(r" (\d+) -> (.+)$", answer.text, re.M)
    assert {"0", "1", "2"} <= {number for number, _ in found}, answer.text
    return collections.Counter(
        re.sub(r"\[\d+\]|run-\d+", "", target) for _, target in found
        if not re.fullmatch(r"/proc/\d+/fd", target))


def test_descriptors_of_scripts(folder, mpm):
    """What scripts start finds no descriptor open that it would not find
    under bare httpd; stock modules leak what they leak. What this module
    starts finds three, for no body, output and errors; not one that httpd
    has from whoever started it."""
    leaked = put(folder / "leaked", "", 0o600)
    bare = Httpd(folder, mpm, re.sub("PSUserGroup.*", "", hosts(folder)),
                 modules=["cgi", "lua", "include"]
                 + ["php"] * (mpm == "prefork"), load=False)
    covered = serve(functools.partial(Httpd, folder), folder, mpm)
    with open(leaked, "rb") as file, contextlib.ExitStack() as stack:
        for httpd in (bare, covered):
            assert run(httpd, pass_fds=(file.fileno(),)).returncode == 0
            stack.push(httpd)
        for kind in kinds(mpm) + ["shtml"]:
            put(folder / f"home/alice/www/list.{kind}", DESCRIPTORS[kind],
                0o755, ALICE)
            found, more = inherited(covered, kind), inherited(bare, kind)
            assert more[str(leaked)] == 1, more
            if kind in ("cgi", "shtml"):
                assert found == {"/dev/null": 1, "pipe:": 2}, (kind, found)
            else:
                assert not found - more, (kind, found, more)


PHP_SETUID = """<?php header("Content-Type: text/plain");
$did = posix_setuid((int)$_GET["uid"]);
clearstatcache(true);
echo "try setuid: ", (int)$did, "\n";
echo file_get_contents("/proc/thread-self/status");
"""


@pytest.mark.parametrize("mpm", ("prefork",))
def test_php_setuid(start, folder, mpm):
    """posix_setuid() in a page never makes it another user. Where the C
    library finds that it works for the server's own thread and not for the
    tenant's, it ends that child (README, "What is not protected")."""
    httpd = serve(start, folder, mpm)
    put(folder / "home/alice/www/setuid.php", PHP_SETUID, 0o644, ALICE)
    for uid in (0, BOB.uid):
        answer = httpd.get(f"/setuid.php?uid={uid}")
        assert answer.status == 200 and answer.who.is_(ALICE), answer
        assert tries(answer.text) == {"setuid": 0}
    with httpd.expecting("exit signal Abort"):
        with pytest.raises(OSError):
            httpd.get(f"/setuid.php?uid={server_ids().uid}")
        httpd.wait_for_log("exit signal Abort")
    assert httpd.get("/whoami.php", "bob").who.is_(BOB)
