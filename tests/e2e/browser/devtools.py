"""A headless Chromium driven over its DevTools protocol, with nothing but the standard library."""

import base64
import collections
import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

PATIENCE_S = 60
PR_SET_PDEATHSIG = 1


def end_with_parent():
    """In a child: a browser must not outlive the script that drives it, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class WebSocket:
    """The client's side of RFC 6455, as far as DevTools uses it: whole text messages."""

    def __init__(self, port, path):
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode())
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(head.decode())

    def _receive(self):
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the browser closed the connection")
        self._buffer += data

    def _take(self, size):
        while len(self._buffer) < size:
            self._receive()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def send(self, text):
        payload = text.encode()
        mask = os.urandom(4)
        head = bytes([0x81])
        if len(payload) < 126:
            head += bytes([0x80 | len(payload)])
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self._socket.sendall(head + mask + masked)

    def receive(self, timeout_s):
        """The next message, or None when none begins in time."""
        if not self._buffer:
            self._socket.settimeout(timeout_s)
            try:
                self._receive()
            except socket.timeout:
                return None
            finally:
                self._socket.settimeout(PATIENCE_S)
        message = b""
        final = False
        while not final:
            first, second = self._take(2)
            final = first & 0x80 != 0
            size = second & 0x7F
            if size == 126:
                size = struct.unpack(">H", self._take(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self._take(8))[0]
            message += self._take(size)
        return message.decode()


class Browser:
    """One Chromium with a profile of its own. Commands go to the tab that was opened or selected
    last; events come from all of them."""

    def __init__(self, program="chromium"):
        self._profile = tempfile.mkdtemp(prefix="perigee-chromium-")
        self._process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
             "--no-first-run", "--no-proxy-server", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
             "--disable-features=BackForwardCache",
             f"--user-data-dir={self._profile}", "--remote-debugging-port=0", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=end_with_parent)
        self._last_id = 0
        self._session = None
        self._events = collections.deque()
        port, path = self._wait_for_port()
        self._socket = WebSocket(port, path)
        self.open_tab()

    def open_tab(self):
        """A further tab, as select() takes it."""
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        return self._session

    def select(self, tab):
        self._session = tab

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def _wait_for_port(self):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                with open(os.path.join(self._profile, "DevToolsActivePort")) as file:
                    lines = file.read().split("\n")
                if len(lines) >= 2:
                    return int(lines[0]), lines[1]
            except FileNotFoundError:
                pass
            if self._process.poll() is not None:
                raise ConnectionError(f"chromium ended with {self._process.returncode}")
            time.sleep(0.02)
        raise TimeoutError("chromium did not open its DevTools port")

    def call(self, method, **parameters):
        """One command, and its result; events that come meanwhile are kept."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            text = self._socket.receive(PATIENCE_S)
            answer = json.loads(text) if text is not None else {}
            if answer.get("id") == self._last_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if "method" in answer:
                self._events.append(answer)
        raise TimeoutError(method)

    def event(self, timeout_s):
        """The next event as (method, parameters), or (None, None)."""
        if not self._events:
            text = self._socket.receive(timeout_s)
            if text is None:
                return None, None
            self._events.append(json.loads(text))
        event = self._events.popleft()
        return event.get("method"), event.get("params", {})

    def evaluate(self, expression):
        """The value of a JavaScript expression in the page; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True,
                           returnByValue=True)
        return answer["result"].get("value")
