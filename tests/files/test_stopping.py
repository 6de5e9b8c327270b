"""SIGTERM ends a process as Ctrl-C does, wherever it meets it, also where SIGINT is ignored from the start."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from signals import ctrl_c

PROGRAM = """
import asyncio, os, signal, sys, threading, time
from reconcile.operations.stopping import end_on_sigterm, run_beside_loop, run_coroutine

def tell_me():
    os.kill(os.getpid(), signal.SIGTERM)

async def cancelled():
    threading.Timer(0.05, tell_me).start()
    try:
        await asyncio.sleep(3600)
    finally:
        print("kept", flush=True)

async def done():
    tell_me()

async def stubborn():
    threading.Timer(0.05, tell_me).start()
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("not yet", flush=True)
            threading.Timer(0.05, tell_me).start()

async def of_its_own():
    asyncio.current_task().cancel()
    await asyncio.sleep(3600)

def outside():
    tell_me()
    time.sleep(3600)

async def interrupted():
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        await asyncio.sleep(3600)
    finally:
        print("kept", flush=True)

async def cell(doing):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as Jupyter does while a cell runs
    run_beside_loop(doing)

end_on_sigterm()
try:
    {what}
except KeyboardInterrupt:
    sys.exit(130)
"""


def ended(what: str) -> tuple[int, str]:
    program = PROGRAM.format(what=what)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    return result.returncode, result.stdout or result.stderr.strip()[-200:]


@pytest.mark.parametrize("heeded", [True, False], ids=["in the foreground", "in the background"])
@pytest.mark.parametrize(
    ("what", "status", "said"),
    [
        ("outside()", 130, ""),
        ("run_coroutine(cancelled())", 130, "kept\n"),
        ("run_coroutine(done())", 130, ""),
        ("run_coroutine(stubborn())", -signal.SIGTERM, "not yet\n"),
    ],
)
def test_the_first_sigterm_interrupts_and_a_second_one_ends(what: str, status: int, said: str, heeded: bool) -> None:
    with ctrl_c(heeded=heeded):
        assert ended(what) == (status, said)


def test_ctrl_c_in_a_notebook_ends_what_is_waited_for_beside_its_loop() -> None:
    assert ended("asyncio.run(cell(interrupted()))") == (130, "kept\n")
    assert ended("asyncio.run(cell(cancelled()))") == (130, "kept\n")


def test_a_coroutine_that_cancels_itself_is_no_interruption() -> None:
    status, said = ended("run_coroutine(of_its_own())")

    assert status == 1
    assert said.endswith("CancelledError")
