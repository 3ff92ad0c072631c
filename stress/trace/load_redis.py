"""The load of redis-server's trace, at the port that is named."""

import random
import socket
import sys
import time

SIZES = ((20, 100), (100, 700), (700, 5000), (5000, 40000))
WEIGHTS = (50, 35, 13, 2)


def command(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def connect(port):
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def batch(link, commands):
    """All of them at once; each has an answer of one line."""
    link.sendall(b"".join(commands))
    nr_lines = 0
    while nr_lines < len(commands):
        nr_lines += link.recv(1 << 16).count(b"\n")


def write(chance, sizes):
    low, high = chance.choices(sizes, WEIGHTS)[0]
    kind, key = chance.randrange(10), "key:%d" % chance.randrange(30000)
    value = b"v" * chance.randrange(low, high)
    if kind < 7:
        return command("SET", key, value, "PX", chance.randrange(500, 2500))
    if kind < 9:
        return command("HSET", "hash:%d" % chance.randrange(500),
                       "field:%d" % chance.randrange(40), value)
    return command("DEL", key)


def main(port):
    chance = random.Random(1)
    link = connect(port)
    for turn in range(400):
        # The values grow by half in the middle.
        sizes = [(low, high + high // 2 * (turn > 200))
                 for low, high in SIZES]
        batch(link, [write(chance, sizes) for _ in range(150)])
        time.sleep(0.005)
    time.sleep(2.5)
    batch(link, [command("FLUSHALL", "ASYNC")])
    time.sleep(0.5)
    link.sendall(command("SHUTDOWN", "NOSAVE"))
    link.recv(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
