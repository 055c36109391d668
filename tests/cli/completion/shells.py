"""Real shells, each on a terminal of its own, in which lines are typed and completed."""

import json
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.conftest import REPOSITORY

SECONDS = 60  # for one line; the machine may be busy
START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
INSTALL = {
    "bash": 'eval "$(tinystories-lm completion bash)"',
    "zsh": 'eval "$(tinystories-lm completion zsh)"',
    "fish": "tinystories-lm completion fish | source",
}


def make_program(folder: Path) -> None:
    """Make `tinystories-lm`: it completes as the real one does, and anything else it writes to the file `typed`."""
    folder.mkdir()
    file = folder / "tinystories-lm"
    file.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "if sys.argv[1] in ('--complete', 'completion') or '-sc' in sys.argv:\n"
        f"    sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "    from tinystories_lm.cli.main import main\n"
        "    main()\n"
        f"with open({str(folder / 'new')!r}, 'w') as typed:\n"
        "    json.dump(sys.argv[1:], typed)\n"
        f"os.replace({str(folder / 'new')!r}, {str(folder / 'typed')!r})\n"
    )
    file.chmod(0o755)


class Terminal:
    """A shell on a pseudo-terminal, started in `folder`, with the program of `folder`/bin."""

    def __init__(self, shell: str, folder: Path, *, install: str) -> None:
        self.folder = folder
        self.controller, terminal = pty.openpty()
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(folder), "TERM": "xterm", "LC_ALL": "C.UTF-8", "PS1": "> "}
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *START[shell]], cwd=folder, env=environment,
            stdin=terminal, stdout=terminal, stderr=terminal,
        )  # fmt: skip
        os.close(terminal)
        self.shown = b""
        threading.Thread(target=self._read, daemon=True).start()
        os.write(self.controller, f"{install}\n".encode())

    def _read(self) -> None:
        try:
            while shown := os.read(self.controller, 65536):
                self.shown += shown
        except OSError:
            pass  # the terminal is closed

    def run(self, line: str) -> list[str]:
        """Type a line, with a tab where the shell has to complete; return the arguments of the command that ran."""
        typed = self.folder / "bin" / "typed"
        os.write(self.controller, f"{line}\n".encode())
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if typed.exists():
                found = json.loads(typed.read_text())
                typed.unlink()
                assert isinstance(found, list)
                return found
            time.sleep(0.02)
        raise AssertionError(f"{line!r} ran nothing: {self.shown[-2000:].decode(errors='replace')}")

    def close(self) -> None:
        os.close(self.controller)  # hangs up
        self.process.kill()
        self.process.wait()
