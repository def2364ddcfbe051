"""Runs a program on a terminal of its own: `terminal.py ROWS COLUMNS PROGRAM ARGUMENT…`.

What the program shows goes to standard output as it is. Standard input is one JSON object a line:
{"write": TEXT} types, {"resize": [ROWS, COLUMNS]} draws the window. Ends with the program's exit status.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios


def resize(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main():
    rows, columns, *command = sys.argv[1:]
    child, terminal = pty.fork()
    if child == 0:
        # The size is there before the program looks at it.
        resize(0, int(rows), int(columns))
        os.execvp(command[0], command)
    pending = b""
    sources = [terminal, 0]
    while terminal in sources:
        ready, _, _ = select.select(sources, [], [])
        if terminal in ready:
            try:
                shown = os.read(terminal, 65536)
            except OSError:
                shown = b""
            if not shown:
                break
            os.write(1, shown)
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                sources.remove(0)
            pending += read
            *lines, pending = pending.split(b"\n")
            for line in lines:
                order = json.loads(line)
                if "resize" in order:
                    resize(terminal, *order["resize"])
                else:
                    os.write(terminal, order["write"].encode())
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)


main()
