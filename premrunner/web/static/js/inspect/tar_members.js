import { Refusal } from "./refusal.js";
import { PassedSource, PlainSource } from "./source.js";

const BLOCK = 512;
// A packed archive shows its files only one after the other: so far it is looked into, and so long.
const SEEN_BYTES_MOST = 16 * 1024 * 1024;
const PATIENCE_MS = 800;
const MEMBERS_MOST = 10_000;

/**
 * Return the files in a tar, and whether all were seen: a packed one is given up after a moment.
 * @returns {Promise<{sources: Source[], isWhole: boolean}>}
 */
export async function readTar(blob, isPacked) {
  const tape = isPacked ? new PackedTape(blob) : new OpenTape(blob);
  const sources = [];
  let longName = "";
  try {
    for (let header; (header = await tape.read(BLOCK)).length === BLOCK && header[0] && sources.length < MEMBERS_MOST; ) {
      const { path, size, kind } = fields(header);
      if (kind === "L" || kind === "x") longName = nameIn(await tape.read(padded(size)), kind) || longName;
      else if (kind === "0" || kind === "\0") {
        sources.push(await tape.pass(longName || path, size));
        longName = "";
      } else await tape.skip(padded(size));
    }
    return { sources, isWhole: true };
  } catch (error) {
    if (error === TIRED) return { sources, isWhole: false };
    throw error;
  } finally {
    tape.close();
  }
}

const TIRED = Symbol("looked for long enough");
const padded = (size) => Math.ceil(size / BLOCK) * BLOCK;

function fields(header) {
  const text = (begin, length) => new TextDecoder().decode(header.subarray(begin, begin + length)).split("\0")[0];
  if (text(257, 5) !== "ustar") throw new Refusal("The tar is damaged, or of a kind that is not read here.", "Pack the folder as a ZIP.");
  const prefix = text(345, 155);
  // Sizes past 8 GiB are a binary number, marked by the highest bit.
  const size = header[124] & 0x80
    ? header.subarray(128, 136).reduce((sum, byte) => sum * 256 + byte, 0)
    : Number.parseInt(text(124, 12), 8) || 0;
  return { path: prefix ? `${prefix}/${text(0, 100)}` : text(0, 100), size, kind: String.fromCharCode(header[156]) };
}

function nameIn(bytes, kind) {
  const text = new TextDecoder().decode(bytes);
  return kind === "L" ? text.split("\0")[0] : (/\d+ path=([^\n]*)\n/.exec(text)?.[1] ?? "");
}

class OpenTape {
  #at = 0;

  constructor(blob) {
    this.blob = blob;
  }

  async read(length) {
    const bytes = new Uint8Array(await this.blob.slice(this.#at, this.#at + length).arrayBuffer());
    this.#at += length;
    return bytes;
  }

  async skip(length) {
    this.#at += length;
  }

  async pass(path, size) {
    const source = new PlainSource(path, this.blob.slice(this.#at, this.#at + size));
    if (source.size < size) throw new Refusal(`The tar ends in the middle of ${path}.`, "Copy it again.");
    this.#at += padded(size);
    return source;
  }

  close() {}
}

class PackedTape {
  #reader;
  #rest = new Uint8Array(0);
  #until = performance.now() + PATIENCE_MS;

  constructor(blob) {
    this.#reader = blob.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  }

  async read(length) {
    const bytes = new Uint8Array(length);
    let count = 0;
    while (count < length && (await this.#more())) {
      const piece = this.#rest.subarray(0, length - count);
      bytes.set(piece, count);
      this.#rest = this.#rest.subarray(piece.length);
      count += piece.length;
    }
    return bytes.subarray(0, count);
  }

  async skip(length) {
    for (let left = length; left > 0 && (await this.#more()); ) {
      const count = Math.min(left, this.#rest.length);
      this.#rest = this.#rest.subarray(count);
      left -= count;
    }
  }

  async pass(path, size) {
    const seen = await this.read(Math.min(size, SEEN_BYTES_MOST));
    await this.skip(padded(size) - seen.length);
    return new PassedSource(path, size, seen);
  }

  close() {
    this.#reader.cancel().catch(() => {});
  }

  async #more() {
    if (this.#rest.length) return true;
    if (performance.now() > this.#until) throw TIRED;
    try {
      const { value, done } = await this.#reader.read();
      this.#rest = done ? this.#rest : value;
      return !done;
    } catch {
      throw new Refusal("The archive cannot be unpacked: it is damaged.", "Copy it again.");
    }
  }
}
