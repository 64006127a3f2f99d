"""Source as text: without comments and literals, or nothing but comments; offsets and line numbers stay."""
import re


def blank(source):
    """The same text with comments and literals as spaces; line breaks stay, so offsets and line numbers do."""
    token = (r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\\\s]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
             r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'")
    return re.sub(token, lambda m: re.sub(r'[^\n]', ' ', m.group(0)), source, flags=re.S)


def line_of(text, offset):
    return text.count('\n', 0, offset) + 1


def comments(source):
    """C++: the same text with code as NUL and comment marks as spaces, so offsets and line numbers stay."""
    token = (r'(?P<line>//[^\n]*)|(?P<block>/\*.*?\*/)|R"(?P<d>[^()\\\s]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
             r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'|[^\s/\"'R]+|\S")

    def keep(m):
        if m.group('line'):
            return re.sub(r'^//+', lambda n: ' ' * len(n.group()), m.group())
        if m.group('block'):
            return '  ' + re.sub(r'^\s*\*', lambda n: n.group()[:-1] + ' ', m.group()[2:-2], flags=re.M) + '  '
        return re.sub(r'[^\n]', '\0', m.group())
    return re.sub(token, keep, source, flags=re.S)


def hash_comments(text):
    """Python, shell, meson: likewise; in Python also what stands between three quotes, where that begins a line."""
    token = (r'(?P<doc>^[ ]*""".*?""")|""".*?"""|' + r"'''.*?'''|'(?:\\.|[^'\\\n])*'|" +
             r'"(?:\\.|[^"\\\n])*"|(?P<hash>(?:^|(?<=\s))#[^\n]*)|\S')

    def keep(m):
        kept = m.group('doc') or m.group('hash')
        return re.sub(r'^#+|"""', lambda n: ' ' * len(n.group()), kept) if kept else '\0' * len(m.group())
    return re.sub(token, keep, text, flags=re.S | re.M)
