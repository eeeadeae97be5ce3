"""What `make check` runs, when everything is built: t/, test/, and both again
on Debian 13. Prints a closing line with counts; exits 1 on any failure.

CHECK_DEBIAN13=0 leaves Debian 13 out. PS_MUST_RUN=1 makes a skip a failure.
"""
import os
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build"


class Counts:
    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []

    def add(self, passed, failed, skipped=()):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def run_unit(counts, name="t/"):
    """Check prints "98%: Checks: 50, Failures: 1, Errors: 0"."""
    print(f"== unit tests: {name}", flush=True)
    done = subprocess.run([BUILD / "unit"], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    print(done.stdout, end="", flush=True)
    found = re.findall(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)",
                       done.stdout)
    failed = sum(int(f) + int(e) for _, f, e in found)
    total = sum(int(c) for c, _, _ in found)
    if total == 0 or (done.returncode != 0 and failed == 0):
        failed += 1
    counts.add(total - min(total, failed), failed)


def run_pytest(counts, *arguments):
    print(f"== live tests: {' '.join(arguments)}", flush=True)
    report = BUILD / "pytest.xml"
    report.unlink(missing_ok=True)
    status = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         f"--junitxml={report}", *arguments], cwd=TOP, check=False).returncode
    total = failed = 0
    skipped = []
    if report.exists():
        for case in xml.etree.ElementTree.parse(report).iter("testcase"):
            total += 1
            failed += (case.find("failure") is not None
                       or case.find("error") is not None)
            skip = case.find("skipped")
            if skip is not None:
                skipped.append(f"{case.get('classname')}.{case.get('name')}: "
                               f"{skip.get('message')}")
    if status != 0 and failed == 0:
        failed += 1
    counts.add(total - failed - len(skipped), failed, skipped)


def run_debian13(counts):
    """The tree's own check.py prints its counts; they count here, too."""
    print("== Debian 13", flush=True)
    process = subprocess.Popen([TOP / "test" / "debian13.sh"], text=True,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    last = ""
    skipped = []
    for line in process.stdout:
        print(f"debian13| {line}", end="", flush=True)
        found = re.match(r"total: (\d+) passed, (\d+) failed", line)
        last = found or last
        if line.startswith("skipped: "):
            skipped.append(f"debian13: {line[9:].strip()}")
    status = process.wait()
    if status == 77:
        counts.add(0, 0, ["debian13: no Debian package source here"])
    elif last:
        passed, failed = int(last[1]), int(last[2])
        counts.add(passed, failed or int(status != 0), skipped)
    else:
        counts.add(0, 1)


def main():
    counts = Counts()
    run_unit(counts)
    if os.environ.get("CHECK_PART") == "debian13":
        run_pytest(counts, "test/test_tenants.py", "test/test_php.py")
    else:
        run_pytest(counts, "test")
        if os.environ.get("CHECK_DEBIAN13") != "0":
            run_debian13(counts)
    for skip in counts.skipped:
        print(f"skipped: {skip}")
    if counts.skipped and os.environ.get("PS_MUST_RUN") == "1":
        print("PS_MUST_RUN=1: what was skipped counts as failed")
        counts.failed += len(counts.skipped)
        counts.skipped = []
    print(f"total: {counts.passed} passed, {counts.failed} failed, "
          f"{len(counts.skipped)} skipped")
    return 1 if counts.failed or not counts.passed else 0


sys.exit(main())
