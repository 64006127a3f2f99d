"""What a run has measured and what it held tako to: a table, and whether all promises were kept."""
import time

MIB = 1 << 20
BEGAN = time.monotonic()


def say(text):
    """Progress, with the seconds since the run began."""
    print(f'  {time.monotonic() - BEGAN:7.1f}  {text}', flush=True)


class Report:
    def __init__(self):
        self.rows = []     # (part, what, figure)
        self.broken = []   # promises

    def figure(self, part, what, figure):
        self.rows.append((part, what, figure))
        say(f'{part}: {what}: {figure}')

    def rate(self, part, what, size, seconds, beside=''):
        """MB/s; `beside`: what it is compared with, already text."""
        rate = size / 1e6 / seconds
        self.figure(part, what, f'{rate:.0f} MB/s ({seconds:.1f} s){beside}')
        return rate

    def promise(self, part, what, held, detail=''):
        """One of the promises: whether it was kept, and by how much."""
        text = f"{'kept' if held else 'BROKEN'}{': ' if detail else ''}{detail}"
        self.figure(part, what, text)
        if not held:
            self.broken.append(f'{part}: {what}: {detail}')
        return held

    def show(self):
        wide = max((len(what) for _, what, _ in self.rows), default=0)
        last = None
        print()
        for part, what, figure in self.rows:
            if part != last:
                print(part)
            last = part
            print(f'  {what:<{wide}}  {figure}')
        print(f'\n{len(self.broken)} promises broken', flush=True)
        for text in self.broken:
            print(f'BROKEN {text}')
