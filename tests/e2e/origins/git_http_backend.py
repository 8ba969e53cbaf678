"""git's own CGI program as an origin: serves the repositories below a folder over smart HTTP.

    python3 git_http_backend.py FOLDER

Prints the port, then METHOD, TARGET and how the content was framed for each request.
"""

import http.server
import os
import subprocess
import sys


def read_content(handler):
    """All of the request's content, decoded."""
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    content = b""
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        content += handler.rfile.read(size)
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass
    return content


def cgi_environment(handler, size):
    path, _, query = handler.path.partition("?")
    environment = dict(os.environ, GIT_PROJECT_ROOT=sys.argv[1], GIT_HTTP_EXPORT_ALL="1",
                       REQUEST_METHOD=handler.command, PATH_INFO=path, QUERY_STRING=query,
                       CONTENT_TYPE=handler.headers.get("Content-Type", ""),
                       CONTENT_LENGTH=str(size), REMOTE_USER="test", REMOTE_ADDR="127.0.0.1")
    for name in ("Content-Encoding", "Git-Protocol"):
        if name in handler.headers:
            environment["HTTP_" + name.upper().replace("-", "_")] = handler.headers[name]
    return environment


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        content = read_content(self)
        print(self.command, self.path, self.headers.get("Transfer-Encoding", "length"), flush=True)
        done = subprocess.run(["git", "http-backend"], input=content, stdout=subprocess.PIPE,
                              env=cgi_environment(self, len(content)), check=False)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n") if line]
        status = next((value for name, value in fields if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in fields:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
