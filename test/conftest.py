"""Fixtures of the live tests, and the rule about skips."""
import os
import pwd
import shutil
import subprocess

import pytest

import harness

MPMS = ("prefork", "worker", "event")


def pytest_addoption(parser):
    parser.addoption("--keep", action="store_true",
                     help="keep the servers' folders for a look afterwards")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """PS_MUST_RUN=1: what would be skipped fails."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("PS_MUST_RUN") == "1":
        report.outcome = "failed"
        report.longrepr = f"PS_MUST_RUN=1, but skipped: {report.longrepr}"


@pytest.fixture(autouse=True, scope="session")
def need_root():
    if os.geteuid() != 0:
        pytest.skip("the live tests need root")


@pytest.fixture
def folder(request):
    """A folder for one case, with the tenants' homes in it."""
    path = harness.new_folder()
    harness.make_homes(path)
    yield path
    if not request.config.getoption("--keep"):
        shutil.rmtree(path)


@pytest.fixture(params=MPMS)
def mpm(request):
    return request.param


@pytest.fixture
def start(folder, request):
    """start(mpm, config, ...): a running server, stopped and its log checked
    when the case ends."""
    servers = []

    def run(mpm, config, **kwargs):
        server = harness.Httpd(folder, mpm, config, **kwargs)
        servers.append(server)
        return server.start()

    yield run
    failures = []
    for server in servers:
        try:
            server.stop()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, failures
    for server in servers:
        assert not server.unexpected_lines(), server.unexpected_lines()
        assert not server.missing_lines(), (server.missing_lines(),
                                            server.log())


@pytest.fixture(scope="session")
def member():
    """A real user with two more groups, removed afterwards."""
    name = f"ps-test-{os.getpid()}"

    def run(*commands, check):
        for command in commands:
            subprocess.run(command.split(), check=check, capture_output=True)

    try:
        run(f"groupadd {name}-a", f"groupadd {name}-b",
            f"useradd -M -U -G {name}-a,{name}-b {name}", check=True)
        user = pwd.getpwnam(name)
        groups = os.getgrouplist(name, user.pw_gid)
        assert len(groups) == 3
        yield harness.Tenant(user.pw_uid, user.pw_gid, tuple(groups), name)
    finally:
        run(f"userdel {name}", f"groupdel {name}-a", f"groupdel {name}-b",
            check=False)
