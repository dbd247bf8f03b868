"""The levels of lines that real programs log."""

from __future__ import annotations

import time

import pytest

from exporter.catalog.planning.log_levels import DEFAULT_PATTERNS
from exporter.patterns import Pattern

LEVELS = {name: Pattern(pattern) for name, pattern in DEFAULT_PATTERNS}

ERRORS = (
    "ERROR",
    "ERROR:root:it broke",
    "2024-01-02 15:04:05,123 - app.db - ERROR - it broke",
    "[2024-01-02 15:04:05,123] ERROR in app: Exception on / [GET]",
    "[2024-01-02 15:04:05 +0000] [7] [ERROR] Exception in worker process",
    "ERROR:    Exception in ASGI application",
    "2024-01-02 15:04:05.123 | ERROR    | app.db:run:12 - it broke",
    "[2024-01-02 15:04:05,123: ERROR/MainProcess] Task app.run raised unexpected",
    'time="2024-01-02T15:04:05Z" level=error msg="it broke"',
    't=2024-01-02T15:04:05+0000 lvl=eror msg="it broke"',
    'ts=2024-01-02T15:04:05.123Z caller=main.go:10 level="error" msg="it broke"',
    '{"level":"error","ts":1704207845.1,"msg":"it broke"}',
    '{"time": "2024-01-02T15:04:05Z", "level": "ERROR", "msg": "it broke"}',
    '{"severity":"ERROR","message":"it broke"}',
    '{"levelname": "ERROR", "message": "it broke"}',
    '{"@timestamp":"2024-01-02T15:04:05Z","log.level":"error","message":"it broke"}',
    '{"@t":"2024-01-02T15:04:05Z","@m":"it broke","@l":"Error"}',
    '{"level":50,"time":1704207845123,"pid":1,"hostname":"a","msg":"it broke"}',
    '{"t":{"$date":"2024-01-02T15:04:05.123+00:00"},"s":"E",  "c":"NETWORK",  "id":1,"msg":"it broke"}',
    '2024/01/02 15:04:05 [error] 7#7: *1 open() "/a" failed (2: No such file or directory)',
    "[Tue Jan 02 15:04:05.123456 2024] [core:error] [pid 1] AH00082: it broke",
    "2024-01-02 15:04:05.123456+00:00 [error] <0.123.0> it broke",
    "2024-01-02 15:04:05.123 UTC [42] ERROR:  relation does not exist at character 15",
    "2024-01-02 15:04:05 UTC ERROR:  relation does not exist",
    "2024-01-02T15:04:05.123456Z 0 [ERROR] [MY-010119] [Server] Aborting",
    "[2024-01-02T15:04:05,123][ERROR][o.e.b.Bootstrap] it broke",
    "[2024-01-02 15:04:05,123] ERROR it broke (kafka.server.KafkaServer)",
    "2024-01-02T15:04:05.123Z ERROR 1 --- [main] com.example.App : it broke",
    "15:04:05.123 [main] ERROR com.example.App - it broke",
    "Jan 02, 2024 3:04:05 PM com.example.App run\tSEVERE: it broke",
    "[2024-01-02T15:04:05Z ERROR app] it broke",
    "\x1b[2m2024-01-02T15:04:05.123456Z\x1b[0m \x1b[31mERROR\x1b[0m \x1b[2mapp\x1b[0m: it broke",
    "\x1b[31merror\x1b[39m: it broke",
    "fail: Microsoft.AspNetCore.Server.Kestrel[13]",
    "2024-01-02T15:04:05.000Z error: it broke",
    "[Nest] 1  - 01/02/2024, 3:04:05 PM   ERROR [App] it broke",
    "2024-01-02T15:04:05Z ERR it broke error=EOF",
    "npm ERR! code ELIFECYCLE",
    "E, [2024-01-02T15:04:05.123456 #1] ERROR -- : it broke",
    "E0102 15:04:05.123456       1 main.go:10] it broke",
    "error: it broke",
    "Error: it broke",
    "TypeError: Cannot read properties of undefined (reading 'a')",
    "ValueError: it broke",
    "Uncaught ReferenceError: a is not defined",
)
CRITICALS = (
    "CRITICAL:root:it broke",
    "2024-01-02 15:04:05,123 CRIT Supervisor is running as root",
    "2024-01-02 15:04:05.123 UTC [42] FATAL:  password authentication failed",
    "2024-01-02 15:04:05.123 UTC [42] PANIC:  could not write to file",
    "2024/01/02 15:04:05 [crit] 7#7: *1 it broke",
    "2024/01/02 15:04:05 [emerg] 1#1: host not found in upstream",
    "2024/01/02 15:04:05 [alert] 1#1: worker process exited on signal 11",
    "[ALERT]    (1) : it broke",
    'time="2024-01-02T15:04:05Z" level=fatal msg="it broke"',
    '{"level":"fatal","msg":"it broke"}',
    '{"severity":"CRITICAL","message":"it broke"}',
    '{"severity":"EMERGENCY","message":"it broke"}',
    '{"level":60,"time":1704207845123,"msg":"it broke"}',
    '{"t":{"$date":"2024-01-02T15:04:05.123+00:00"},"s":"F",  "c":"CONTROL",  "msg":"it broke"}',
    "F0102 15:04:05.123456       1 main.go:10] it broke",
    "panic: runtime error: invalid memory address or nil pointer dereference",
    "fatal error: all goroutines are asleep - deadlock!",
    "PHP Fatal error:  Uncaught Exception in /app/a.php:3",
    "thread 'main' panicked at src/main.rs:2:5:",
    "crit: App[0]",
    "2024-01-02T15:04:05Z FTL it broke",
)
WARNINGS = (
    "WARNING:root:it may break",
    "2024-01-02T15:04:05.123Z  WARN 1 --- [main] com.example.App : it may break",
    "[2024-01-02T15:04:05,123][WARN ][o.e.b.Bootstrap] it may break",
    "2024/01/02 15:04:05 [warn] 1#1: it may break",
    "2024-01-02  0:00:00 0 [Warning] it may break",
    'level=warn msg="it may break"',
    'level=warning msg="it may break"',
    '{"level":"warn","msg":"it may break","error":"no such host"}',
    '{"severity":"WARNING","message":"it may break"}',
    '{"level":40,"time":1704207845123,"msg":"it may break"}',
    '{"t":{"$date":"2024-01-02T15:04:05.123+00:00"},"s":"W",  "c":"CONTROL",  "msg":"it may break"}',
    "W0102 15:04:05.123456       1 main.go:10] it may break",
    "1:M 02 Jan 2024 15:04:05.123 # WARNING Memory overcommit must be enabled!",
    "2024-01-02 15:04:05.123 UTC [42] WARNING:  it may break",
    "(node:1) Warning: Setting this is insecure",
    "(node:1) [DEP0005] DeprecationWarning: Buffer() is deprecated",
    "/app/a.py:1: DeprecationWarning: it may break",
    "warn: App[0]",
    "\x1b[33mwarn\x1b[39m: it may break",
    "2024-01-02T15:04:05Z WRN it may break",
)
NONE = (
    "",
    "errors=0",
    "errors=0 error=null",
    "no error",
    "no errors found",
    "0 errors, 0 warnings",
    "error_rate 0",
    "ERROR_RATE=0",
    "ERRORS: 0",
    "ERROR: 0",
    "ERROR=0",
    "NOERROR",
    '"status":"ERROR"',
    "status=NOERROR rcode=0",
    "the error was handled",
    "WARNINGS=0",
    "terror: none",
    "mirrored: yes",
    'level=info msg="error budget is full" error=nil',
    '{"level":"info","msg":"connected","error":null}',
    '{"level":"debug","errors":[],"error_count":0}',
    '{"level":30,"time":1704207845123,"msg":"done","took":50}',
    '{"t":{"$date":"2024-01-02T15:04:05.123+00:00"},"s":"I",  "c":"NETWORK",  "msg":"Connection accepted"}',
    '10.0.0.1 - - [02/Jan/2024:15:04:05 +0000] "GET /error HTTP/1.1" 200 12 "-" "curl/8"',
    '10.0.0.1 - - [02/Jan/2024:15:04:05 +0000] "GET /logs?level=error&severity=ERROR HTTP/1.1" 200 12',
    '10.0.0.1 - - [02/Jan/2024:15:04:05 +0000] "GET /ERROR HTTP/1.1" 404 12',
    "INFO:root:error handler installed",
    "I0102 15:04:05.123456       1 main.go:10] no error",
    "2024-01-02 15:04:05,123 INFO app: retries 3, fatal 0",
    "E0102 is the name of a part",
    "sublevel=error",
    "[errors] section read",
    "criticality=low",
    "WARNED about it",
)


@pytest.mark.parametrize(
    ("level", "line"),
    [
        *(("error", line) for line in ERRORS),
        *(("critical", line) for line in CRITICALS),
        *(("warning", line) for line in WARNINGS),
        *((None, line) for line in NONE),
    ],
)
def test_line_is_of_its_level_and_of_no_other(level: str | None, line: str) -> None:
    found = [name for name, pattern in LEVELS.items() if pattern.found_in(line)]
    assert found == ([level] if level else [])


@pytest.mark.parametrize(
    "text", ["a", "l", "E", "[a:", "level", "TError", "\x1b[1;1m", "s", '"s": "', "/:1: ", "A a"]
)
def test_no_line_takes_long(text: str) -> None:
    line = (text * 16384)[:16384]
    began = time.process_time()
    for pattern in LEVELS.values():
        pattern.found_in(line)
    assert time.process_time() - began < 0.1
