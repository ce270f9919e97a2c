"""An HTTP proxy for tests: passes on what is asked for in full, and counts it. `from forward_proxy import Proxy, proxied`."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
import urllib.parse
from collections.abc import Iterator


class Proxy(http.server.BaseHTTPRequestHandler):
    """Knows no passwords: whatever is sent for it is dropped."""

    passed: int = 0

    def _pass_on(self) -> None:
        type(self).passed += 1
        want = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        onward = http.client.HTTPConnection(want.hostname or "", want.port, timeout=120)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        with contextlib.closing(onward):
            onward.request(self.command, f"{want.path}?{want.query}", body or None, headers)
            answer = onward.getresponse()
            content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _pass_on

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Quiet(http.server.ThreadingHTTPServer):
    """A client that is killed in the middle of a call is no error of the proxy's."""

    def handle_error(self, _request: object, _address: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def proxied() -> Iterator[str]:
    """The address of a running proxy."""
    Proxy.passed = 0
    server = Quiet(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(120)
        server.server_close()
