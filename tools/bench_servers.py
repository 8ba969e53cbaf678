"""The servers that the benchmarks start, each on a core, and what they cost under load."""

import dataclasses
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

# Debian keeps servers where the PATH of ordinary users does not lead.
os.environ["PATH"] += ":/usr/sbin"

CONNECTIONS = 50

# All paths are below the folder that nginx is started in.
NGINX_CONF = """
worker_processes 1; daemon off; pid pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
  uwsgi_temp_path t4; scgi_temp_path t5;
  {http}
  server {{ listen 127.0.0.1:{port}; {server} }}
}}
"""

NGINX_CACHE_HTTP = """
  sendfile on; tcp_nodelay on;
  proxy_cache_path cache levels=1:2 keys_zone=c:64m max_size=4g use_temp_path=off;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; }}
"""

NGINX_CACHE_SERVER = """
    location / {{
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache c; proxy_cache_lock on; {extra}
    }}
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


class Server:
    def __init__(self, name, command, port, core, log=None):
        """`log`: a file for what it says, which is shown if it does not start."""
        self.name, self.port = name, port
        self.process = subprocess.Popen(["taskset", "-c", str(core), *command],
                                        stdout=subprocess.DEVNULL,
                                        stderr=log.open("wb") if log else None)
        try:
            wait_for(port)
        except SystemExit:
            self.stop()
            if log:
                sys.stderr.write(log.read_text())
            raise

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as response:
            return response.read(), response.headers

    def cpu_seconds(self):
        """User and system time of all processes of the server."""
        total = 0
        for member in family(self.process.pid):
            stat = pathlib.Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(stat[11]) + int(stat[12])
        return total / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def family(pid):
    """A process and all its descendants."""
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        for task in pathlib.Path(f"/proc/{current}/task").iterdir():
            todo += [int(child) for child in (task / "children").read_text().split()]
    return found


def start_nginx(name, root, core, server, http=""):
    """nginx with one worker, in a folder of its own below `root`."""
    folder, port = root / name, free_port()
    folder.mkdir()
    (folder / "conf").write_text(NGINX_CONF.format(port=port, http=http, server=server))
    return Server(name, ["nginx", "-c", str(folder / "conf"), "-p", str(folder)], port, core)


def start_origin(root, core, lifetime_s, server="", http=""):
    """A server of the files in the folder `site` below `root`."""
    root.chmod(0o755)  # nginx's workers may be somebody else
    served = f"root {root}/site; etag on; add_header Cache-Control max-age={lifetime_s}; {server}"
    return start_nginx("origin", root, core, served, http)


def start_nginx_cache(root, core, origin, extra=""):
    return start_nginx("nginx", root, core, NGINX_CACHE_SERVER.format(extra=extra),
                       NGINX_CACHE_HTTP.format(origin=origin.port))


def start_perigee(binary, root, core, origin, store_size, around=lambda command: command):
    """Perigee with one worker. `around`: makes its command one that starts it elsewhere."""
    port = free_port()
    return Server("perigee", around([
        binary, "--origin", f"http://127.0.0.1:{origin.port}", "--listen", f"127.0.0.1:{port}",
        "--workers", "1", "--store", str(root / "store"), "--store-size", store_size]), port, core)


@dataclasses.dataclass
class Load:
    """What clients ask a server for."""
    name: str
    server: Server
    path: str
    extra_of: callable = lambda turn: []  # arguments for wrk in a round

    def run(self, core, seconds, turn):
        """CPU seconds of the server for 10,000 answered requests."""
        before = self.server.cpu_seconds()
        extra = self.extra_of(turn)
        output = subprocess.run(
            ["taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *extra,
             f"http://127.0.0.1:{self.server.port}{self.path}"],
            capture_output=True, text=True, check=True).stdout
        used = self.server.cpu_seconds() - before
        requests = int(re.search(r"(\d+) requests in", output).group(1))
        if "Non-2xx" in output and "If-None-Match" not in " ".join(extra):
            sys.exit(f"{self.server.name}: {output}")
        if requests == 0:
            sys.exit(f"{self.server.name}: no request was answered")
        return used / requests * 10_000


def interleave(loads, core, seconds, rounds):
    """The figures of each load, by its name, of rounds in which each has its turn."""
    figures = {load.name: [] for load in loads}
    for turn in range(rounds + 1):
        # Back and forth, so that a drift of the machine favours none.
        for load in loads[::-1] if turn % 2 else loads:
            figure = load.run(core, seconds if turn else 1, turn)
            if turn:  # the first round warms up
                figures[load.name].append(figure)
    return figures


@dataclasses.dataclass
class Ratio:
    """Of two loads, round by round."""
    median: float
    least: float
    most: float

    @classmethod
    def of(cls, above, below):
        ratios = [a / b for a, b in zip(above, below)]
        return cls(statistics.median(ratios), min(ratios), max(ratios))


def first_line(*command):
    """What a program says of its version."""
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def versions(binary):
    """Of Perigee, of nginx, and of what is below both."""
    nginx = first_line("nginx", "-v").removeprefix("nginx version: ")
    return (f"{first_line(binary, '--version')}, {nginx}, Linux {os.uname().release}, "
            f"{congestion_control()}")


def congestion_control():
    return pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()


def use_congestion_control(name):
    """Starts this program again in a network namespace that uses it, if this one does not."""
    if not name or congestion_control() == name:
        return
    setup = f"ip link set lo up && sysctl -qw net.ipv4.tcp_congestion_control={name}"
    os.execvp("unshare", ["unshare", "-n", "sh", "-c", setup + ' && exec "$@"', "sh",
                          sys.executable, *sys.argv])
