"""Draws mutants: small changes of one line of C++ that a good test notices. `scripts/mutate` compiles and judges them.

A mutant is one edit inside one statement of a function's body. Statements come from a scan of the brackets, which is
enough for code in the house style. What no test can judge is left out: comments, preprocessor lines, declarations at
file level and in types, logging, counters, assertions, rare branches (`buggify`) and seeded bugs (`planted`).

Draws depend on the seed, the files and their text only, so the same command draws the same mutants again.
"""
import dataclasses
import pathlib
import random
import re
import subprocess

import tidy

# What no test can judge, by file name: text for the operator, and the simulated disk, which is no part of the product.
ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("model", "store", "replication", "node", "control")
FILES_LEFT_OUT = ("api/admin/status.cc", "api/memcached/stats.cc", "store/engine/sim_engine.cc")
STATEMENTS_LEFT_OUT = re.compile(
    r"\blog::|\bASSERT\b|\bbuggify\(|\b[cC]ounters_?\b|\bstatic_assert\b|\bcheck_here\(|\breserve\(|\bwaits_for_\b|"
    r"^\s*(else\s+)?if \((!?|.*&& )planted\(|\bplanted\([^()]*\)\s*\?|^\s*(using|typedef|struct|class|enum|friend)\b")
PLANTED = re.compile(r"\s*(?:&&|\|\|) !?planted\([^()]*\)|!?planted\([^()]*\)(?: (?:&&|\|\|)\s*)?")
NUMBER = re.compile(r"(?<![\w.])(\d[\d']*)(u|ull|U|ULL)?(?![\w.'])")
ENUM = re.compile(r"\benum class (\w+)[^{;]*\{([^}]*)\}")
LABEL = re.compile(r"\s*(?:(?:case [^:]*(?:::[^:]*)*|default):(?!:)\s*)*")
RELATIONAL = {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">"}
ARITHMETIC = {"+": "-", "-": "+", "+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=", "*": "/"}


@dataclasses.dataclass
class Function:
    """The body of one function, from behind its brace."""
    begin: int
    returns: list = dataclasses.field(default_factory=list)  # the text of each `return ...;` or `co_return ...;`
    is_coroutine: bool = False


@dataclasses.dataclass
class Statement:
    """From `begin` up to `end`, both offsets. A header ends before the brace of its block."""
    begin: int
    end: int
    function: Function
    header: bool = False


@dataclasses.dataclass(frozen=True)
class Mutant:
    """`text[begin:end]` becomes `after`."""
    path: str  # from the project's root
    line: int
    begin: int
    end: int
    before: str
    after: str
    operator: str

    def applied(self, text):
        if text[self.begin:self.end] != self.before:
            raise ValueError(f"{self.path}:{self.line} is not what it was when the mutant was drawn")
        return text[:self.begin] + self.after + text[self.end:]


# --- statements ------------------------------------------------------------------------------------------------------

def without_preprocessor(code):
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), code, flags=re.M)


def kind_of_brace(head, in_function):
    """What an opening brace begins, by the text between the last boundary and it."""
    head = head.rstrip()
    if not in_function:
        if re.search(r"(^|\s)namespace\b[^()]*$", head) or head.endswith('extern'):
            return "file"
        if re.search(r"\benum\b[^()]*$", head):
            return "init"
        if re.search(r"(^|\s)(class|struct|union)\b[^()=]*$", head):
            return "type"
        if re.search(r"\)(\s*(const|noexcept|override|final|->\s*[\w:<>,&* ]+))*\s*(:[^:].*)?$", head, re.S):
            return "init" if re.search(r"\w$", head) and re.search(r"\)\s*:[^:]", head) else "function"
        return "init"
    if not head or head[-1] in ");]" or re.search(r"\b(else|do|try|mutable|noexcept)$", head):
        return "block"
    if re.search(r"->\s*[\w:<>,&* ]+$", head):
        return "block"  # a lambda's
    if re.search(r"^\s*(struct|class|enum|union)\b[^()=]*$", head):
        return "type"
    return "init"


def statements(code, text):
    """All statements in bodies of functions. `code`: the text, blank of comments, literals and preprocessor lines."""
    found = []
    frames = [("file", 0)]  # kind, and where the statement began that the bracket interrupts
    function = None
    start = 0
    for i, c in enumerate(code):
        kind = frames[-1][0]
        if c in "([":
            frames.append(("paren", start))
        elif c in ")]":
            if kind == "paren":
                frames.pop()
        elif c == "{":
            in_function = function is not None
            opened = kind_of_brace(code[start:i], in_function) if kind != "init" or in_function else "init"
            if opened == "function":
                function = Function(i + 1)
                frames.append(("function", start))
                start = i + 1
                continue
            if opened == "block":
                found.append(Statement(start, i, function, header=True))
            frames.append((opened, start))
            if opened != "init":
                start = i + 1
        elif c == "}":
            if kind in ("paren", "init"):
                frames.pop()
                continue
            if len(frames) > 1:
                frames.pop()
            if kind == "function":
                function = None
            start = i + 1
        elif c == ";" and kind in ("block", "function"):
            found.append(Statement(start, i + 1, function))
            start = i + 1
        elif c == ";" and kind in ("file", "type"):
            start = i + 1
    for one in found:
        one.begin = LABEL.match(code, one.begin, one.end).end()
        words = " ".join(text[one.begin:one.end].split())
        one.function.is_coroutine |= bool(re.search(r"\bco_(await|return)\b", words))
        returns = re.search(r'\b(?:co_)?return\b[^;{"]*;$', words)
        if returns and len(returns[0]) < 60:
            one.function.returns.append(returns[0])
    return [one for one in found if one.begin < one.end]


# --- operators -------------------------------------------------------------------------------------------------------
# Each yields (begin, end, after, operator) for a statement: `code` is blank of what may not be changed, `text` is not.

def swapped_operators(code, text, one):
    part = code[one.begin:one.end]
    for m in re.finditer(r"(?<=[\w)\]}] )(==|!=|<=|>=|<|>|&&|\|\||\+=|-=|\|=|&=|\+|-|\*)(?=\s)", part):
        sign = m[1]
        if sign in RELATIONAL:
            after, operator = RELATIONAL[sign], "relation"
        elif sign in ("&&", "||"):
            after, operator = "||" if sign == "&&" else "&&", "logic"
        else:
            after, operator = ARITHMETIC[sign], "arithmetic"
        yield one.begin + m.start(), one.begin + m.end(), after, operator


def negations(code, text, one):
    part = code[one.begin:one.end]
    for m in re.finditer(r"!(?=[\w(*])", part):
        yield one.begin + m.start(), one.begin + m.end(), "", "dropped negation"
    m = re.match(r"(?:else )?(if|while) (?:constexpr )?\(", part)
    if m and m[1] == "if":
        opened = one.begin + m.end() - 1
        closed = tidy.matching(code, opened)
        begin = max(code.rfind(";", opened, closed), opened) + 1
        begin += len(code[begin:closed]) - len(code[begin:closed].lstrip())
        condition = text[begin:closed]
        # A declaration, or one that `!` is dropped from anyway.
        if re.search(r"(?<![=!<>])=(?!=)", code[begin:closed]) or condition.startswith("!"):
            return
        simple = re.fullmatch(r"[\w.:]+|[\w.:>-]+\([^()]*\)", condition)
        yield begin, closed, f"!{condition}" if simple else f"!({condition})", "negated condition"


def numbers(code, text, one):
    for m in NUMBER.finditer(code, one.begin, one.end):
        value, suffix = int(m[1].replace("'", "") or 0, 8 if re.match(r"0\d", m[1]) else 10), m[2] or ""
        for changed in {value + 1, max(value - 1, 0), 0} - {value}:
            yield m.start(), m.end(), f"{changed}{suffix}", "number"
    for m in re.finditer(r"\.(size|count|length)\(\)(?! [-+])", code[one.begin:one.end]):
        end = one.begin + m.end()
        for after in (" + 1", " - 1"):
            yield end - 2, end, "()" + after, "off by one"
    for m in re.finditer(r"\b(true|false)\b", code[one.begin:one.end]):
        after = "false" if m[1] == "true" else "true"
        yield one.begin + m.start(), one.begin + m.end(), after, "constant"
    for m in re.finditer(r"\bstd::(min|max)\b", code[one.begin:one.end]):
        after = "max" if m[1] == "min" else "min"
        yield one.begin + m.start(1), one.begin + m.end(1), after, "min/max"


def enumerators(code, text, one, enums):
    for m in re.finditer(r"\b(\w+)::(k[A-Z]\w*)\b", code[one.begin:one.end]):
        for other in enums.get(m[1], ()):
            if other != m[2] and m[2] in enums[m[1]] and m[1] != "Plant":
                yield one.begin + m.start(2), one.begin + m.end(2), other, "constant"


def is_expression(part):
    """Assignments, calls and steps; no declarations, and nothing that begins with another keyword."""
    if re.match(r"(if|else|for|while|do|switch|(co_)?return|throw|goto|delete|const|auto|static|constexpr)\b", part):
        return False
    part = re.sub(r"^co_await ", "", part)
    declaration = re.match(r"[\w:<>,&* ]*[\w>&*] +[\w:]+ *([=({;\[]|$)", part)
    return not declaration and re.match(r"[(\w*+:-]", part) is not None


def dropped(code, text, one):
    part = code[one.begin:one.end]
    if one.header or not part.endswith(";"):
        return
    guard = re.match(r"if \(", part)
    if guard or is_expression(part) or re.match(r"(break|continue);", part):
        line_breaks = "\n" * part.count("\n")
        yield one.begin, one.end, ";" + line_breaks, "dropped statement"


def top_level(code, opened):
    """Where the arguments of a bracket begin and end."""
    closed = tidy.matching(code, opened)
    depth, begin, found = 0, opened + 1, []
    for i in range(opened + 1, closed):
        if code[i] in "([{":
            depth += 1
        elif code[i] in ")]}":
            depth -= 1
        elif code[i] == "," and depth == 0:
            found.append((begin, i))
            begin = i + 1
    return found + [(begin, closed)]


def swapped_arguments(code, text, one):
    for m in re.finditer(r"(\w+)?([({])", code[one.begin:one.end]):
        if m[1] in ("if", "for", "while", "switch", "min", "max", "tie"):
            continue
        arguments = top_level(code, one.begin + m.start(2))
        if not 2 <= len(arguments) <= 5 or arguments[-1][1] >= one.end:
            continue
        for (b0, e0), (b1, e1) in zip(arguments, arguments[1:]):
            first, second = text[b0:e0].strip(), text[b1:e1].strip()
            if first and second and first != second and "\n" not in text[b0:e1] and "[" not in first + second:
                b0 += len(text[b0:e0]) - len(text[b0:e0].lstrip())
                yield b0, e1, f"{second}, {first}", "swapped arguments"


def inserted(code, text, one):
    part = code[one.begin:one.end]
    if one.header and re.match(r"(for|while) \(", part):
        for word in ("break", "continue"):
            yield one.end, one.end + 1, "{ " + word + ";", f"inserted {word}"
    statement_begins = re.match(r"[\w*+(:!]", part) and not re.match(r"(else|do|case|default|catch)\b", part)
    if not statement_begins or re.match(r"(co_)?return\b|break;|continue;", part):
        return
    bare = "co_return;" if one.function.is_coroutine else "return;"
    for early in dict.fromkeys(one.function.returns or [bare]):
        yield one.begin, one.begin, early + " ", "early return"


def edits(code, text, one, enums):
    yield from swapped_operators(code, text, one)
    yield from negations(code, text, one)
    yield from numbers(code, text, one)
    yield from enumerators(code, text, one, enums)
    yield from dropped(code, text, one)
    yield from swapped_arguments(code, text, one)
    yield from inserted(code, text, one)


# --- drawing ---------------------------------------------------------------------------------------------------------

def enums_of(root):
    """The values of each `enum class` of the headers; of two with one name, what both have."""
    found = {}
    for path in sorted((pathlib.Path(root) / "src").rglob("*.h")):
        for name, body in ENUM.findall(tidy.blank(path.read_text())):
            values = re.findall(r"\b(k[A-Z]\w*)\b", body)
            found[name] = [value for value in found[name] if value in values] if name in found else values
    return found


def mutants_of(path, text, enums):
    """Of one file, by line: {line: [mutant]}."""
    if path.removeprefix("src/") in FILES_LEFT_OUT:
        return {}
    code = without_preprocessor(tidy.blank(text))
    by_line = {}
    for one in statements(code, text):
        if STATEMENTS_LEFT_OUT.search(text[one.begin:one.end]):
            continue
        masked = code[:one.begin] + PLANTED.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), code[one.begin:one.end]) + \
            code[one.end:]
        for begin, end, after, operator in edits(masked, text, one, enums):
            line = tidy.line_of(text, begin)
            mutant = Mutant(path, line, begin, end, text[begin:end], after, operator)
            if mutant not in by_line.setdefault(line, []):
                by_line[line].append(mutant)
    return by_line


def in_drawn_order(source, choices):
    operators = {}
    for mutant in choices:
        operators.setdefault(mutant.operator, []).append(mutant)
    names = list(operators)
    source.shuffle(names)
    names.sort(key=lambda name: name == "early return")
    for name in names:
        source.shuffle(operators[name])
    return [mutant for name in names for mutant in operators[name]]


def draw(by_file, seed, count):
    """`count` slots of mutants, in the order they are tried in: the first of a slot that compiles counts.

    by_file: {path: {line: [mutant]}}. Every line is as likely as any other, and so is every operator of a line, but
    for early returns: nearly every line could have one, so where there are others they come last.
    """
    source = random.Random(seed)
    lines = [(path, line) for path in sorted(by_file) for line in sorted(by_file[path])]
    source.shuffle(lines)
    slots = [[] for _ in range(min(count, len(lines)))]
    for i, (path, line) in enumerate(lines):
        slots[i % len(slots)].extend(in_drawn_order(source, by_file[path][line]))
    return slots


def shown(mutant, text):
    """The line before and after, as a person reads it."""
    begin = text.rfind("\n", 0, mutant.begin) + 1
    end = text.find("\n", mutant.end)
    before = text[begin:end]
    after = text[begin:mutant.begin] + mutant.after + text[mutant.end:end]
    return " ".join(before.split()), " ".join(after.split())


# --- which lines -----------------------------------------------------------------------------------------------------

def files_named(names):
    paths = [ROOT / "src" / folder for folder in FOLDERS] if not names else [pathlib.Path(name) for name in names]
    files = []
    for path in paths:
        path = path if path.exists() else ROOT / path
        found = sorted(path.rglob("*.cc")) if path.is_dir() else [path]
        for one in found:
            one = one.resolve()
            if not one.is_file() or not one.is_relative_to(ROOT / "src") or one.suffix != ".cc":
                raise ValueError(f"'{one.name}' is no source of this project's src; expected a .cc file or a folder")
            files.append(str(one.relative_to(ROOT)))
    return list(dict.fromkeys(files))


def changed_lines(commit, files):
    """{path: {line}} of what the tree has and the commit has not."""
    command = ["git", "-C", str(ROOT), "diff", "--no-color", "--no-ext-diff", "-U0", "--no-renames", commit, "--"]
    done = subprocess.run(command + files, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise ValueError(f"--since {commit}: git says: {(done.stderr.strip().splitlines() or ['nothing'])[0]}")
    return parse_diff(done.stdout)


def parse_diff(text):
    changed, path = {}, None
    for line in text.splitlines():
        if line.startswith("+++ "):
            path = line[6:] if line.startswith("+++ b/") else None
        elif match := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(match[1]), int(match[2] or 1)
            if path:
                changed.setdefault(path, set()).update(range(first, first + count))
    return changed
