import { Refusal, byteText } from "./refusal.js";

const FIRST_BYTES = 1024 * 1024;
const HEADER_BYTES_MOST = 128 * 1024 * 1024;
const VERSIONS = [2, 3];
const ALIGNMENT = 32;
// Arrays up to this length are kept: figures a layer. Vocabularies are not.
const SHORT_ARRAY = 1024;
const STRING = 8;
const ARRAY = 9;
const SIZES = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };

/** Whether a file is a GGUF, by its content. */
export async function isGguf(source) {
  return byteText(await source.head(4)) === "GGUF";
}

/**
 * Return what a GGUF says of itself, and the elements and bytes of its tensors.
 * @param {Record<string, [string, number, number]>} types name, elements and bytes of a block for each type's number
 */
export async function readGguf(source, types) {
  for (let length = FIRST_BYTES; ; length *= 4) {
    const bytes = await source.head(length);
    const cursor = new Cursor(source, bytes);
    try {
      return parse(source, cursor, types);
    } catch (error) {
      if (error !== TOO_SHORT) throw error;
      if (bytes.length >= source.size) throw broken(source, "it ends in the middle of its header");
      if (length > HEADER_BYTES_MOST) throw broken(source, "its header has no end");
    }
  }
}

const TOO_SHORT = Symbol("more of the file is needed");

function parse(source, cursor, types) {
  cursor.skip(4);
  const version = cursor.number(4);
  if (!VERSIONS.includes(version)) throw broken(source, `GGUF version ${version} is not known`);
  const [tensorCount, keyCount] = [cursor.number(10), cursor.number(10)];
  const metadata = new Map();
  for (let index = 0; index < keyCount; index += 1) metadata.set(cursor.text(), cursor.value(cursor.number(4)));
  const tensors = [];
  for (let index = 0; index < tensorCount; index += 1) tensors.push(tensor(cursor, types));
  const alignment = metadata.get("general.alignment") || ALIGNMENT;
  const begin = Math.ceil(cursor.at / alignment) * alignment;
  const end = begin + Math.max(0, ...tensors.map(({ offset, bytes }) => offset + bytes));
  if (end > source.size) throw broken(source, `it ends ${end - source.size} bytes too early`);
  return { version, metadata, tensors };
}

function tensor(cursor, types) {
  const name = cursor.text();
  const shape = Array.from({ length: cursor.number(4) }, () => cursor.number(10));
  const [type, offset] = [cursor.number(4), cursor.number(10)];
  const elements = shape.reduce((product, length) => product * length, 1);
  const [typeName, blockElements, blockBytes] = types[type] ?? [`type ${type}`, 1, 0];
  return { name, typeName, offset, elements, bytes: (elements / blockElements) * blockBytes };
}

function broken(source, reason) {
  return new Refusal(
    `${source.fileName} is a broken GGUF: ${reason}.`,
    "It was probably not copied to its end. Compare its size with the original.",
  );
}

/** Reads values one after the other; throws TOO_SHORT where the bytes end. */
class Cursor {
  constructor(source, bytes) {
    this.source = source;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  skip(length) {
    if (this.at + length > this.bytes.length) throw TOO_SHORT;
    this.at += length;
    return this.at - length;
  }

  /** Return a number of GGUF's type 4 (32 bits) or 10 (64 bits, as far as JavaScript counts). */
  number(type) {
    const at = this.skip(SIZES[type]);
    const low = this.view.getUint32(at, true);
    return type === 4 ? low : low + this.view.getUint32(at + 4, true) * 2 ** 32;
  }

  text() {
    const length = this.number(10);
    if (length > this.source.size) throw broken(this.source, "a length in its header cannot be");
    const at = this.skip(length);
    return new TextDecoder().decode(this.bytes.subarray(at, at + length));
  }

  value(type) {
    if (type === STRING) return this.text();
    if (type === ARRAY) return this.array();
    if (!(type in SIZES)) throw broken(this.source, "it has a value of no known type");
    const at = this.skip(SIZES[type]);
    if (type === 7) return Boolean(this.bytes[at]);
    if (type === 10) return this.view.getUint32(at, true) + this.view.getUint32(at + 4, true) * 2 ** 32;
    if (type === 11) return Number(this.view.getBigInt64(at, true));
    return this.view[{ 0: "getUint8", 1: "getInt8", 2: "getUint16", 3: "getInt16", 4: "getUint32", 5: "getInt32", 6: "getFloat32", 12: "getFloat64" }[type]](at, true);
  }

  array() {
    const [type, length] = [this.number(4), this.number(10)];
    if (length > this.source.size) throw broken(this.source, "a length in its header cannot be");
    if (length <= SHORT_ARRAY) return Array.from({ length }, () => this.value(type));
    if (type === STRING) for (let index = 0; index < length; index += 1) this.skip(this.number(10));
    else if (type in SIZES) this.skip(SIZES[type] * length);
    else throw broken(this.source, "it has a list of no known type");
    return [];
  }
}
