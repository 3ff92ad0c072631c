#!/bin/bash
# packages: nodejs
# limit: 180
#
# Node.js as a server that packs, unpacks and hashes: its pool's threads
# allocate by malloc, its buffers too. What its own collector would keep is
# not what is measured, so it is asked to collect.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
begin

cat >load.js <<'JS'
const crypto = require('crypto'), util = require('util'), zlib = require('zlib');
const deflate = util.promisify(zlib.deflate);
const brotli = util.promisify(zlib.brotliCompress);
const inflate = util.promisify(zlib.inflate);
const scrypt = util.promisify(crypto.scrypt);

async function request(i) {
	const body = Buffer.alloc(50000 + i * 7919 % 900000, 'line ' + i);
	crypto.randomFillSync(body, 0, body.length >> 2);
	const packed = await deflate(body, { level: 1 + i % 3 });
	if (!(await inflate(packed)).equals(body))
		throw new Error('wrong bytes in ' + i);
	await scrypt('word', String(i), 32, { N: 4096 });
	if (i % 8 == 0)
		await brotli(body.subarray(0, 100000),
			{ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } });
}

async function main() {
	for (let n = 0; n < 400; n += 40)
		await Promise.all(Array.from({ length: 40 },
			(_, i) => request(n + i)));
	global.gc();
	console.log('worked');
	setInterval(() => {}, 1000);
}
main();
JS
spawn server node --expose-gc load.js
await_work 120
settle
