"""Stand-ins for the reference services: small programs with the same commands and variables."""

from __future__ import annotations

from pathlib import Path

_MIGRATE = """\
import os, psycopg
with psycopg.connect(os.environ["DEFI_PG_DSN"]) as connection:
    connection.execute("CREATE TABLE trade_tasks (id uuid PRIMARY KEY, status text NOT NULL)")
"""
_SERVICE = """\
import http.server, os

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *words):
        pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["DEFI_HTTP_PORT"])), Health).serve_forever()
"""
# Tells its secret and gives up.
BROKEN_SERVICE = """\
import os, sys
sys.exit("cannot reach " + os.environ["DEFI_REDIS_URL"])
"""
# Healthy once; every later start of it ends at once.
CRASHING_LATER = (
    """\
import os, pathlib, sys
once = pathlib.Path("started")
if once.exists():
    sys.exit("cannot go on")
once.touch()
"""
    + _SERVICE
)
_STUBBORN = '"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"'
# Leaves a child behind that does not care for signals that ask: in a session of its own, ...
WITH_CHILD = (
    f"""\
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {_STUBBORN}], start_new_session=True)
"""
    + _SERVICE
)
# ... or in the service's own process group, as workers are.
WITH_WORKER = WITH_CHILD.replace(", start_new_session=True", "")


def write_standin(
    root: Path, *, engine: str = _SERVICE, migrate: str = _MIGRATE, processor: str = _SERVICE
) -> Path:
    """A repository that holds nothing but stand-ins."""
    package = root / "compose" / "zone_b"
    package.mkdir(parents=True)
    modules = {
        "__init__": "",
        "migrate": migrate,
        "engine": engine,
        "data_processor": processor,
    }
    for name, text in modules.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    return root
