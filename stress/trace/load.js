// The load of node's trace: files, zlib and hashes in the pool's threads,
// buffers that live for a while, and JSON in between.
"use strict";
const crypto = require("crypto");
const fs = require("fs").promises;
const os = require("os");
const path = require("path");
const util = require("util");
const zlib = require("zlib");

const deflate = util.promisify(zlib.deflate);
const inflate = util.promisify(zlib.inflate);
const pbkdf2 = util.promisify(crypto.pbkdf2);
const kept = new Map();
let seed = 1;

function random(limit) {
	seed = (seed * 1103515245 + 12345) % 2147483648;
	return seed % limit;
}

async function request(number, folder) {
	const body = Buffer.alloc(500 + random(60000), number);
	const file = path.join(folder, "" + number % 20);

	await fs.writeFile(file, await deflate(body));
	const again = await inflate(await fs.readFile(file));
	const key = await pbkdf2(again.subarray(0, 64), "salt", 20, 32, "sha256");
	kept.set(random(300), { key, again, text: JSON.stringify([...key]) });
}

async function main() {
	const folder = await fs.mkdtemp(path.join(os.tmpdir(), "node-load."));

	for (let i = 0; i < 250; i++)
		await Promise.all([0, 1, 2, 3, 4, 5].map(
			n => request(i * 6 + n, folder)));
	await fs.rm(folder, { recursive: true });
}

main();
