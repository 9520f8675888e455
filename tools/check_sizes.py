#!/usr/bin/env python3
"""Sizes of files and functions in src/, include/, tests/ and examples/; figures in LIMITS, meant to be looked at hard before they are reached.

A function may be longer than the limit if a comment `// LONG: reason` stands in its first three lines or just above it.
Parsing is by brackets, not by a compiler: it knows namespaces, classes, functions, lambdas and control statements.

    tools/check_sizes.py [ROOT] [--list]    --list: also prints the longest functions
"""
import pathlib, re, sys

LIMITS = dict(file_lines=1000, file_look=600, function_lines=80, parameters=6, nesting=3)
CONTROL = re.compile(r"(^|[^\w])(if|for|while|switch|catch)\s*(constexpr\s*)?\(.*\)\s*(\[\[\w+\]\]\s*)?$|(^|[^\w])(else|do|try)\s*$", re.S)
SCOPE = re.compile(r"(^|[^\w])(namespace|class|struct|union|enum|extern\s+\"\")(?![\w])", re.S)
LAMBDA = re.compile(r"\[[^\[\]]*\]\s*(\(.*\))?\s*(mutable|noexcept|constexpr|\s)*(->\s*[\w:<>,&*\s]+)?$", re.S)
FUNCTION_END = re.compile(r"(\)|const|noexcept|override|final|mutable|&|try|->\s*[\w:<>,&*\s\[\]]+|requires\s.*)\s*$", re.S)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def strip(text):
    """Comments, literals and preprocessor lines become blanks; line numbers stay."""
    text = re.sub(r'R"(\w*)\(.*?\)\1"', blank, text, flags=re.S)
    text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\'',
                  lambda m: blank(m) if m.group(0)[0] == "/" else '""' + blank(m)[2:], text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", blank, text, flags=re.M)


def groups(head):
    """Top-level (...) groups of a declaration, with the text in front of each."""
    depth, start, out, last = 0, 0, [], 0
    for i, c in enumerate(head):
        if c == "(":
            depth += 1
            if depth == 1:
                start = i
        elif c == ")":
            depth -= 1
            if depth == 0:
                out.append((head[last:start].rstrip(), head[start + 1:i]))
                last = i + 1
    return out


def count_parameters(head):
    for before, inside in groups(head):
        if re.search(r"(operator|decltype|noexcept|requires|alignas|__attribute__|explicit)$", before):
            continue
        if not inside.strip() or inside.strip() == "void":
            return 0
        depth = count = 0
        for c in inside:
            depth += c in "(<[{"
            depth -= c in ")>]}"
            count += c == "," and depth == 0
        return count + 1
    return 0


def kind_of(head, inside_function):
    if inside_function:
        if CONTROL.search(head):
            return "control"
        return "lambda" if LAMBDA.search(head) else "scope" if SCOPE.search(head.split("(")[0]) else "block"
    if SCOPE.search(re.sub(r"<[^<>]*>", "", head).split("(")[0]):
        return "scope"
    if "(" not in head or re.search(r"=\s*$", head):
        return "lambda" if LAMBDA.search(head) else "init"
    if re.search(r"\)\s*(noexcept\s*)?:(?!:)", head) and re.search(r"\w\s*$", head) and not re.search(r"\btry\s*$", head):
        return "init"  # member{value} of a constructor
    return "function" if FUNCTION_END.search(head) or head.rstrip().endswith("}") else "init"


def functions(text):
    """(name line, body lines, parameters, nesting, first line) of each function body."""
    clean, stack, head, line, round_depth = strip(text), [], "", 1, 0
    found, parens = [], []
    for c in clean:
        if c == "\n":
            line += 1
        if c == "(":
            round_depth += 1
        elif c == ")":
            round_depth = max(0, round_depth - 1)
        if c == "{":
            inside = next((s for s in reversed(stack) if s["kind"] in ("function", "scope")), None)
            in_function = any(s["kind"] in ("function", "lambda") for s in stack) and (inside is None or inside["kind"] == "function")
            kind = kind_of(head.strip(), in_function)
            opened = dict(kind=kind, head=head, line=line, depth=round_depth, nesting=0)
            stack.append(opened)
            if kind == "control":
                here = 0
                for s in reversed(stack):
                    if s["kind"] in ("function", "lambda"):
                        s["nesting"] = max(s["nesting"], here)
                        break
                    here += s["kind"] == "control"
            round_depth, head = 0, ""
        elif c == "}" and stack:
            closed = stack.pop()
            round_depth = closed["depth"]
            if closed["kind"] in ("function", "lambda"):
                start = closed["line"] - closed["head"].strip().count("\n")
                found.append((closed["kind"], closed["head"].strip(), start, line, closed["nesting"]))
            head = closed["head"] + "{}" if closed["kind"] in ("init", "lambda", "block") else ""
        elif c == ";" and round_depth == 0:
            head = ""
        elif c == ":" and re.search(r"(^|\s)(public|private|protected|default|case\s[^?]*)\s*$", head):
            head = ""
        else:
            head += c
    return found


def check_file(path, name):
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = text.split("\n")
    errors, notes, sizes = [], [], []
    if len(lines) > LIMITS["file_lines"]:
        errors.append(f"{name}: {len(lines)} lines, limit {LIMITS['file_lines']}")
    elif len(lines) > LIMITS["file_look"]:
        notes.append(f"{name}: {len(lines)} lines: look hard at it")
    for kind, head, start, end, nesting in functions(text):
        length, title = end - start + 1, " ".join(head.split())[:70]
        sizes.append((length, f"{name}:{start}: {title}"))
        excused = any("// LONG: " in l for l in lines[max(0, start - 3):start + 3])
        if length > LIMITS["function_lines"] and not excused and kind == "function":
            errors.append(f"{name}:{start}: function of {length} lines, limit {LIMITS['function_lines']} (or // LONG: reason): {title}")
        if nesting > LIMITS["nesting"]:
            errors.append(f"{name}:{start}: control statements nested {nesting} deep, limit {LIMITS['nesting']}: {title}")
        parameters = count_parameters(head)
        if kind == "function" and parameters > LIMITS["parameters"]:
            errors.append(f"{name}:{start}: {parameters} parameters, limit {LIMITS['parameters']} (make a struct): {title}")
    return errors, notes, sizes


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent
    errors, notes, sizes = [], [], []
    for path in sorted(p for top in ("src", "include", "tests", "examples") for p in (root / top).rglob("*")):
        if path.suffix in (".h", ".cc"):
            for total, part in zip((errors, notes, sizes), check_file(path, path.relative_to(root))):
                total += part
    if "--list" in sys.argv:
        for length, title in sorted(sizes, reverse=True)[:30]:
            print(f"{length:5d} {title}")
    print("\n".join(notes + errors) if notes or errors else "sizes: all within the limits")
    if not errors and sizes:
        ordered = sorted(length for length, _ in sizes)
        print(f"{len(ordered)} functions: median {ordered[len(ordered) // 2]} lines, 90 % under {ordered[len(ordered) * 9 // 10] + 1}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
