"""Rules that no compiler knows: sizes, and that README names what the code
has. Prints what is wrong, and exits 1 if anything is."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
FUNCTION_LINES = 60
FILE_LINES = 400


def sources():
    return [TOP / "mod_process_security.c",
            *sorted(TOP.glob("src/*.[ch]")), *sorted(TOP.glob("t/*.[ch]"))]


def long_functions(path):
    start = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start - 1 > FUNCTION_LINES:
                yield f"{path}:{start}: function of {number - start - 1} lines"
            start = None


def long_file(path):
    lines = len(path.read_text().splitlines())
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines"


def unnamed(pattern, what):
    readme = (TOP / "README.md").read_text()
    found = set()
    for path in sources():
        if path.parent.name != "t":
            found |= set(re.findall(pattern, path.read_text()))
    for word in sorted(found):
        if not re.search(rf"\b{word}\b", readme):
            yield f"README.md does not name the {what} {word}"


def main():
    wrong = []
    for path in sources():
        wrong += [*long_functions(path), *long_file(path)]
    wrong += unnamed(r'"(PS[A-Z][A-Za-z]+)"', "directive")
    wrong += unnamed(r'"(PS\d{4}): ', "tag")
    print("\n".join(wrong) if wrong else "lint: nothing found")
    return 1 if wrong else 0


sys.exit(main())
