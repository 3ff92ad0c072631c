#!/bin/bash
# packages: default-jdk-headless
# limit: 120
#
# 500 threads at once that use the parts of the JVM which call malloc: zlib,
# direct buffers, monitors, thread start and end; javac too runs under the
# library.
. "$(dirname "$0")/../lib.sh"
begin

cat >Load.java <<'JAVA'
import java.nio.ByteBuffer;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.*;

public class Load {
	static final AtomicLong sum = new AtomicLong();

	static byte[] text(int seed) {
		byte[] b = new byte[2000 + seed % 5000];
		for (int i = 0; i < b.length; i++)
			b[i] = (byte) (seed * 31 + i % 64);
		return b;
	}

	static void work(int seed) throws Exception {
		for (int round = 0; round < 8; round++) {
			byte[] in = text(seed + round), out = new byte[in.length];
			byte[] packed = new byte[in.length + 100];
			Deflater d = new Deflater(1 + round % 9);
			d.setInput(in);
			d.finish();
			int n = d.deflate(packed);
			d.end();
			ByteBuffer direct = ByteBuffer.allocateDirect(n);
			direct.put(packed, 0, n).flip();
			Inflater i = new Inflater();
			i.setInput(direct);
			int m = i.inflate(out);
			i.end();
			if (m != in.length || !java.util.Arrays.equals(in, out))
				throw new Exception("wrong bytes in " + seed);
			sum.addAndGet(1);
		}
	}

	static void all(int threads) throws Exception {
		CountDownLatch ready = new CountDownLatch(threads);
		ConcurrentLinkedQueue<Throwable> errors =
			new ConcurrentLinkedQueue<>();
		Thread[] list = new Thread[threads];
		for (int t = 0; t < threads; t++) {
			int seed = t;
			list[t] = new Thread(null, () -> {
				try {
					ready.countDown();
					ready.await();
					work(seed);
				} catch (Throwable e) {
					errors.add(e);
				}
			}, "t" + t, 256 << 10);
			list[t].start();
		}
		for (Thread t : list)
			t.join();
		if (!errors.isEmpty())
			throw new Exception(errors.peek());
	}

	public static void main(String[] args) throws Exception {
		for (int i = 0; i < 3; i++)
			all(500);
		String maps = java.nio.file.Files.readString(
			java.nio.file.Path.of("/proc/self/maps"));
		if (args.length > 0 && !maps.contains(args[0]))
			throw new Exception("the library is not there");
		System.out.println("sum " + sum);
	}
}
JAVA

must_under javac javac -J-Xmx256m -J-XX:-UsePerfData -d . Load.java
must_under run java -Xmx256m -XX:-UsePerfData -cp . Load "$preload"
[ "$(grep '^sum' log/run)" = "sum 12000" ] || fail "$(tail -n 1 log/run)"
ok "3 times 500 threads, 12000 round trips through zlib right"
