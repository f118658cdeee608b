import { Refusal } from "./refusal.js";
import { DeflatedSource, PlainSource } from "./source.js";

// PKWARE's APPNOTE 6.3.10: the directory's end has 22 bytes and a comment of at most 65,535.
const END_BYTES = 22;
const COMMENT_MOST = 65_535;
const LOCATOR_64_BYTES = 20;
const LOCAL_BYTES = 30;
const FULL_16 = 0xffff;
const FULL_32 = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 0x1 | 0x40 | 0x2000;
const UTF8 = 0x800;
const MEMBERS_MOST = 10_000;
const DIRECTORY_BYTES_MOST = 64 * 1024 * 1024;

/** Return the files in a ZIP, read from its directory alone. */
export async function readZip(blob) {
  const directory = await findDirectory(blob);
  if (directory.count > MEMBERS_MOST || directory.size > DIRECTORY_BYTES_MOST) {
    throw new Refusal(`The ZIP has ${directory.count} files; so many are no model.`);
  }
  const bytes = await view(blob, directory.offset, directory.offset + directory.size);
  const members = [];
  let at = 0;
  for (let number = 0; number < directory.count; number += 1) {
    if (at + 46 > bytes.byteLength || bytes.getUint32(at, true) !== 0x02014b50) throw damaged("its directory ends too early");
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((place) => bytes.getUint16(at + place, true));
    const next = at + 46 + nameLength + extraLength + commentLength;
    if (next > bytes.byteLength) throw damaged("its directory ends too early");
    members.push(entry(bytes, at, nameLength, extraLength));
    at = next;
  }
  return Promise.all(members.filter(({ path }) => !path.endsWith("/")).map((member) => source(blob, member)));
}

async function findDirectory(blob) {
  const begin = Math.max(0, blob.size - END_BYTES - COMMENT_MOST - LOCATOR_64_BYTES);
  const tail = await view(blob, begin, blob.size);
  for (let at = tail.byteLength - END_BYTES; at >= 0; at -= 1) {
    if (tail.getUint32(at, true) !== 0x06054b50) continue;
    if (at + END_BYTES + tail.getUint16(at + 20, true) !== tail.byteLength) continue;
    const [count, size, offset] = [tail.getUint16(at + 10, true), tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
    if (count !== FULL_16 && size !== FULL_32 && offset !== FULL_32) return { count, size, offset };
    return findDirectory64(blob, tail, at - LOCATOR_64_BYTES);
  }
  throw damaged("it has no directory at its end, so it was cut off while it was copied");
}

async function findDirectory64(blob, tail, at) {
  if (at < 0 || tail.getUint32(at, true) !== 0x07064b50) throw damaged("its directory cannot be found");
  const place = uint64(tail, at + 8);
  const end = await view(blob, place, place + 56);
  if (end.byteLength < 56 || end.getUint32(0, true) !== 0x06064b50) throw damaged("its directory cannot be found");
  return { count: uint64(end, 32), size: uint64(end, 40), offset: uint64(end, 48) };
}

function entry(bytes, at, nameLength, extraLength) {
  const [flags, method] = [bytes.getUint16(at + 8, true), bytes.getUint16(at + 10, true)];
  const rawName = new Uint8Array(bytes.buffer, bytes.byteOffset + at + 46, nameLength);
  const path = new TextDecoder(flags & UTF8 ? "utf-8" : undefined).decode(rawName).replaceAll("\\", "/");
  if (flags & ENCRYPTED) throw new Refusal(`${path} in the ZIP is encrypted.`, "Pack the folder again without a password.");
  if (method !== STORED && method !== DEFLATED) {
    throw new Refusal(`${path} is packed in a way that is not read here.`, "Pack the folder again as an ordinary ZIP.");
  }
  const sizes = { size: bytes.getUint32(at + 24, true), packed: bytes.getUint32(at + 20, true), offset: bytes.getUint32(at + 42, true) };
  const extra = new DataView(bytes.buffer, bytes.byteOffset + at + 46 + nameLength, extraLength);
  return { path, isDeflated: method === DEFLATED, ...wide(extra, sizes) };
}

/** Return the numbers, those that did not fit into 32 bits taken from ZIP64's field. */
function wide(extra, sizes) {
  const missing = Object.keys(sizes).filter((name) => sizes[name] === FULL_32);
  if (!missing.length) return sizes;
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
    if (extra.getUint16(at, true) !== 1) continue;
    if (at + 4 + 8 * missing.length > extra.byteLength) break;
    return { ...sizes, ...Object.fromEntries(missing.map((name, index) => [name, uint64(extra, at + 4 + 8 * index)])) };
  }
  throw damaged("a size is missing");
}

/** Only the header before a member's bytes tells where they begin. */
async function source(blob, { path, isDeflated, size, packed, offset }) {
  const header = await view(blob, offset, offset + LOCAL_BYTES);
  if (header.byteLength < LOCAL_BYTES || header.getUint32(0, true) !== 0x04034b50) {
    throw damaged(`${path} is not where its directory says`);
  }
  const begin = offset + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  const bytes = blob.slice(begin, begin + packed);
  return isDeflated ? new DeflatedSource(path, bytes, size) : new PlainSource(path, bytes);
}

async function view(blob, begin, end) {
  return new DataView(await blob.slice(begin, end).arrayBuffer());
}

function uint64(bytes, at) {
  return bytes.getUint32(at, true) + bytes.getUint32(at + 4, true) * 2 ** 32;
}

function damaged(reason) {
  return new Refusal(`The ZIP is damaged: ${reason}.`, "Pack or copy it again.");
}
