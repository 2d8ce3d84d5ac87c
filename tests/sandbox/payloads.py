"""What a hostile answer may try. Each defines `f(x)`, which is asked for x + 1.

`OUTSIDE` is a folder of the host, `SECRET` a text that its environment and a file in it hold,
`PORT` a server of the host on loopback.
"""

import textwrap

PAYLOADS = {
    "fork bomb": """
        import os
        while True:
            os.fork()
    """,
    "1 GiB": """
        def f(x):
            return len(bytearray(1 << 30)) and x + 1
    """,
    "endless loop": """
        def f(x):
            while True:
                pass
    """,
    "5 MiB file": """
        def f(x):
            with open("big", "wb") as file:
                for _ in range(5):
                    file.write(bytes(1 << 20))
                    file.flush()
            return x + 1
    """,
    "endless output": """
        import os, sys
        def f(x):
            while True:
                print("PASS" * 100)
                os.write(2, b"PASS" * 100)
    """,
    "sleep": """
        import time
        def f(x):
            time.sleep(600)
            return x + 1
    """,
    "ignores SIGTERM": """
        import signal, time
        for number in (1, 2, 15):
            signal.signal(number, signal.SIG_IGN)
        def f(x):
            time.sleep(600)
    """,
    "daemon": """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            for number in range(64):
                try:
                    os.close(number)
                except OSError:
                    pass
            time.sleep(600)
        os.wait()
        os._exit(0)
    """,
    "socket": """
        import socket
        def f(x):
            connection = socket.create_connection(("127.0.0.1", PORT), timeout=5)
            return connection.recv(100).decode()
    """,
    "home": """
        import glob, os
        def f(x):
            found = []
            for path in glob.glob(os.path.expanduser("~root/.ssh/*")) + [OUTSIDE + "/key"]:
                with open(path) as file:
                    found.append(file.read())
            return found or x
    """,
    "environment": """
        import os
        def f(x):
            return dict(os.environ)
    """,
    "writes outside": """
        def f(x):
            with open(OUTSIDE + "/written", "w") as file:
                file.write("here")
            return x + 1
    """,
    "symlink": """
        import os
        def f(x):
            os.symlink(OUTSIDE, "link")
            with open("link/written", "w") as file:
                file.write("here")
            return open("link/key").read()
    """,
    "kills its parent": """
        import os, signal
        os.kill(os.getppid(), signal.SIGKILL)
        def f(x):
            os.kill(os.getppid(), signal.SIGKILL)
            return x
    """,
    "exit and forged output": """
        import os, sys
        print("PASS"); print('{"value": 2}')
        for number in range(3, 20):
            try:
                os.write(number, b'{"value": true}\\n{"held": 9}\\n{"passed": true}\\n')
            except OSError:
                pass
        sys.exit(0)
    """,
    "atexit": """
        import atexit, os, time
        atexit.register(lambda: time.sleep(600))
        def f(x):
            raise SystemExit(0)
    """,
    "__del__ and equal to all": """
        class Equal:
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __hash__(self): return 0
            def __lt__(self, other): return True
            def __del__(self):
                import os
                os._exit(0)
        class Number(int):
            def __eq__(self, other): return True
            __hash__ = int.__hash__
        def f(x):
            return Number(7) if x == 1 else Equal()
    """,
    "huge int": """
        def f(x):
            return 1 << 5_000_000
    """,
    "recursion": """
        import sys
        sys.setrecursionlimit(10**9)
        def f(x):
            deep = []
            for _ in range(100_000):
                deep = [deep]
            return deep if x > 1 else f(x)
    """,
    "local module": """
        def f(x):
            import verbalrl
            return x + 1
    """,
    "waits for input": """
        import sys
        def f(x):
            return input() or sys.stdin.read() or x
    """,
    "walks /proc": """
        import os
        def f(x):
            found = []
            for name in os.listdir("/proc"):
                for file in ("environ", "cmdline"):
                    try:
                        with open(f"/proc/{name}/{file}", "rb") as opened:
                            found.append(opened.read().decode("utf-8", "replace"))
                    except OSError:
                        pass
            return [text for text in found if SECRET in text] or x
    """,
    "ptrace": """
        import ctypes, os
        def f(x):
            ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0)
            return ctypes.CDLL(None).ptrace(16, 1, 0, 0)
    """,
    "1000 threads": """
        import threading, time
        def f(x):
            for _ in range(1000):
                threading.Thread(target=time.sleep, args=(600,)).start()
            return x + 1
    """,
    "packed bomb": """
        import zlib
        def f(x):
            packer = zlib.compressobj(9)
            data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(700)) + packer.flush()
            return len(zlib.decompress(data)) and x + 1
    """,
}
"""The list of the house, and one that packs its bomb first."""


def payload(name: str, outside: str, secret: str, port: int) -> str:
    names = f"OUTSIDE, SECRET, PORT = {outside!r}, {secret!r}, {port}\n"
    return names + textwrap.dedent(PAYLOADS[name])
