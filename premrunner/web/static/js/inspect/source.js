import { Refusal } from "./refusal.js";

// The index of the largest models; above it no file is read as text.
const TEXT_BYTES_MOST = 32 * 1024 * 1024;

/** A file that is looked into from its start, wherever its bytes lie. */
class Source {
  /** @param {string} path its name, with the folders around it */
  constructor(path, size) {
    this.path = path;
    this.size = size;
  }

  get fileName() {
    return this.path.slice(this.path.lastIndexOf("/") + 1);
  }

  get folder() {
    return this.path.slice(0, Math.max(0, this.path.lastIndexOf("/")));
  }

  /** Return the object that the file holds as JSON. */
  async json() {
    if (this.size > TEXT_BYTES_MOST) throw new Refusal(`${this.fileName} is too large to be JSON.`);
    try {
      const value = JSON.parse(new TextDecoder().decode(await this.head(this.size)));
      if (value && typeof value === "object" && !Array.isArray(value)) return value;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw new Refusal(`${this.fileName} is not a JSON object.`, "It was probably not copied to its end.");
  }
}

/** A file on this computer, or a member that an archive keeps as it is. */
export class PlainSource extends Source {
  #blob;

  constructor(path, blob) {
    super(path, blob.size);
    this.#blob = blob;
  }

  /** Return its first bytes, at most as many as there are. */
  async head(length) {
    return new Uint8Array(await this.#blob.slice(0, length).arrayBuffer());
  }
}

/** A member of an archive that must be inflated; only as far as is asked for. */
export class DeflatedSource extends Source {
  #packed;
  #known = new Uint8Array(0);

  constructor(path, packed, size) {
    super(path, size);
    this.#packed = packed;
  }

  async head(length) {
    const wanted = Math.min(length, this.size);
    if (this.#known.length < wanted) this.#known = await inflated(this.#packed, wanted);
    return this.#known.subarray(0, wanted);
  }
}

/** A file whose first bytes were seen as an archive went by. */
export class PassedSource extends Source {
  #seen;

  constructor(path, size, seen) {
    super(path, size);
    this.#seen = seen;
  }

  async head(length) {
    return this.#seen.subarray(0, length);
  }
}

async function inflated(packed, length) {
  const reader = packed.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const bytes = new Uint8Array(length);
  let count = 0;
  try {
    while (count < length) {
      const { value, done } = await reader.read();
      if (done) break;
      const piece = value.subarray(0, length - count);
      bytes.set(piece, count);
      count += piece.length;
    }
  } catch {
    throw new Refusal("The ZIP is damaged: a file in it cannot be inflated.", "Pack or copy it again.");
  } finally {
    reader.cancel().catch(() => {});
  }
  return bytes.subarray(0, count);
}
