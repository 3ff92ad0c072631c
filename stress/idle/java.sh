#!/bin/bash
# packages: default-jdk-headless
# limit: 180
#
# The parts of a JVM that call malloc: zlib and direct buffers in 64 threads,
# after them a server's main thread that waits.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
begin

cat >Load.java <<'JAVA'
import java.nio.ByteBuffer;
import java.util.zip.*;

public class Load {
	static void work(int seed) {
		byte[] in = new byte[20000], out = new byte[24000];
		ByteBuffer[] kept = new ByteBuffer[16];
		for (int i = 0; i < in.length; i++)
			in[i] = (byte) (seed * 31 + i * i % 251);
		for (int round = 0; round < 100; round++) {
			Deflater d = new Deflater(1 + round % 9);
			d.setInput(in);
			d.finish();
			d.deflate(out);
			d.end();
			kept[round % 16] = ByteBuffer.allocateDirect(
				4000 + (seed * 7919 + round * 104729) % 60000);
		}
	}

	public static void main(String[] args) throws Exception {
		Thread[] all = new Thread[64];
		for (int t = 0; t < all.length; t++) {
			int seed = t;
			all[t] = new Thread(() -> work(seed));
			all[t].start();
		}
		for (Thread t : all)
			t.join();
		all = null;
		System.gc();
		System.out.println("worked");
		Thread.sleep(1000000);
	}
}
JAVA
must javac javac Load.java
spawn server java -Xmx64m -XX:+UseSerialGC -XX:-UsePerfData -cp . Load
await_work 120
settle
