#!/bin/bash
# packages: memcached python3
# limit: 60
# quick
#
# 64 worker threads; connections that come and go set, read, append, increment
# and delete values of 1 byte to 300 KB. Each value is derived from its key,
# so that a wrong byte anywhere is seen.
. "$(dirname "$0")/../lib.sh"
begin

cat >load.py <<'PYTHON'
import random, socket, sys, threading, time

port, seconds, workers = int(sys.argv[1]), float(sys.argv[2]), 64
done = [0] * workers
errors = []

def value(key, size):
    pattern = (key * (64 // len(key) + 1)).encode()[:61]
    return (pattern * (size // 61 + 1))[:size]

class Client:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.file = self.socket.makefile("rb")

    def ask(self, text):
        self.socket.sendall(text)
        return self.file.readline().rstrip()

    def get(self, key):
        line = self.ask(b"get %s\r\n" % key.encode())
        if line == b"END":
            return None
        size = int(line.split()[3])
        data = self.file.read(size + 2)[:-2]
        if self.file.readline().rstrip() != b"END":
            raise AssertionError("no END after " + key)
        return data

    def close(self):
        self.file.close()
        self.socket.close()

def expect(what, seen, wanted):
    if seen != wanted:
        raise AssertionError("%s: %r instead of %r"
                             % (what, seen[:80] if seen else seen, wanted[:80]))

def one_session(random_, worker):
    client, sizes = Client(), {}
    for turn in range(random_.randrange(5, 60)):
        key = "k%d.%d" % (worker, random_.randrange(40))
        size = int(random_.choice((50, 1000, 20000, 300000))
                   * random_.random()) + 1
        data = value(key, size)
        expect("set", client.ask(b"set %s 0 0 %d\r\n%s\r\n"
                                 % (key.encode(), size, data)), b"STORED")
        sizes[key] = size
        other = random_.choice(list(sizes))
        seen = client.get(other)
        if seen is not None:    # else it was evicted
            expect("get " + other, seen, value(other, sizes[other]))
        if random_.random() < 0.2:
            client.ask(b"delete %s\r\n" % other.encode())
            if client.get(other) is not None:
                raise AssertionError("deleted, yet there: " + other)
            del sizes[other]
        done[worker] += 1
    counter = b"c%d" % worker
    client.ask(b"set %s 0 0 1\r\n7\r\n" % counter)
    expect("incr", client.ask(b"incr %s 35\r\n" % counter), b"42")
    client.close()

def work(worker, end):
    random_ = random.Random(worker)
    try:
        while time.monotonic() < end and not errors:
            one_session(random_, worker)
    except Exception as error:
        errors.append("worker %d: %s" % (worker, error))

end = time.monotonic() + seconds
threads = [threading.Thread(target=work, args=(n, end))
           for n in range(workers)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if errors:
    sys.exit(errors[0])
print(sum(done))
PYTHON

free_port
as_user memcache
spawn server "${unprivileged[@]}" memcached -l 127.0.0.1 -p "$port" -U 0 \
	-t 64 -c 2000 -m 128 -o slab_reassign
wait_port
is_under "$server"
must load python3 load.py "$port" 6
alive
[ "$(awk '/^Threads:/ { print $2 }' "/proc/$server/status")" -ge 64 ] ||
	fail "fewer than 64 threads"
kill -TERM "$server"
ends 10 || fail "the server exits with $?"
ok "64 threads, $(cat log/load) rounds of set and get, every value right"
