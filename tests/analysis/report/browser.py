"""A headless Chromium, spoken to in the DevTools protocol over a pipe: real clicks, real drags, real screenshots."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_SECONDS = 20.0
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
    "--no-first-run", "--disable-background-networking", "--disable-extensions", "--hide-scrollbars",
    # A mouse, as at a desk: a machine without a screen has none.
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
)  # fmt: skip


class Browser:
    """One Chromium; its protocol is one JSON object after another, each ended by a zero byte."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        # High numbers, so that putting the pipe's ends at 3 and 4 in the child overwrites none of them.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 50) for pair in (os.pipe(), os.pipe()) for end in pair]

        def connect() -> None:
            os.dup2(ends[0], 3)
            os.dup2(ends[3], 4)

        self.process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            close_fds=False,
            preexec_fn=connect,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.to, self.back = ends[1], ends[2]
        os.close(ends[0])
        os.close(ends[3])
        os.set_blocking(self.back, False)
        self.number, self.buffer = 0, b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        wanted = self.number
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            for answer in self._read():
                if answer.get("id") == wanted:
                    assert "error" not in answer, answer
                    result: dict[str, Any] = answer["result"]
                    return result
                self.events.append(answer)
        raise AssertionError(f"chromium did not answer {method}")

    def _read(self) -> list[dict[str, Any]]:
        try:
            self.buffer += os.read(self.back, 1 << 20)
        except BlockingIOError:
            time.sleep(0.005)
        *whole, self.buffer = self.buffer.split(b"\0")
        return [json.loads(one) for one in whole]

    def close(self) -> None:
        os.close(self.to)
        os.close(self.back)
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_SECONDS)


class Tab:
    """A page at a given size, with what its console said."""

    def __init__(self, browser: Browser, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        self.browser = browser
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def open(self, path: Path, fragment: str = "") -> None:
        self.call("Page.navigate", url=f"file://{path}{fragment}")
        self.wait(lambda: self.ask("document.readyState") == "complete" and self.ask("location.protocol") == "file:")
        self.settle()

    def settle(self) -> None:
        """Wait until the page has drawn its pending changes."""
        self.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < until, "the page did not get there"
            time.sleep(0.02)

    def centre(self, selector: str) -> tuple[float, float]:
        """Scroll an element into view and return the coordinates of its centre."""
        box = self.ask(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            " one.scrollIntoView({block: 'center'}); const box = one.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        return box[0], box[1]

    def mouse(self, kind: str, x: float, y: float, clicks: int = 1) -> None:
        button = {"button": "left", "clickCount": clicks} if kind != "mouseMoved" else {}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def click(self, selector: str, *, times: int = 1) -> None:
        x, y = self.centre(selector)
        for number in range(1, times + 1):
            self.mouse("mousePressed", x, y, number)
            self.mouse("mouseReleased", x, y, number)
        self.settle()

    def drag(self, selector: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """From one place of an element to another, both as shares of its width and height."""
        self.centre(selector)
        box = self.ask(
            f"(({{x, y, width, height}}) => [x, y, width, height])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        (a, b), (c, d) = ((box[0] + box[2] * u, box[1] + box[3] * v) for u, v in (start, end))
        self.mouse("mouseMoved", a, b)
        self.mouse("mousePressed", a, b)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=(a + c) / 2, y=(b + d) / 2, button="left", buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=c, y=d, button="left", buttons=1)
        self.mouse("mouseReleased", c, d)
        self.settle()

    def key(self, name: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name)
        self.settle()

    def complaints(self) -> list[str]:
        """Errors and warnings of the page's console, and what its script threw."""
        self.ask("1")
        said = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            details = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                said.append(str(details["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled" and details["type"] in ("error", "warning", "assert"):
                said.append(str(details["args"]))
            elif event["method"] == "Log.entryAdded" and details["entry"]["level"] in ("error", "warning"):
                said.append(details["entry"]["text"])
        return said

    def requests(self) -> list[str]:
        """Every address that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.browser.events
            if event.get("sessionId") == self.session and event["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        self.browser.call("Target.closeTarget", targetId=self.target)
