import { Refusal, refuseImpostor } from "./refusal.js";

// The format's own limit for its header.
const HEADER_BYTES_MOST = 100_000_000;
const DTYPE_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1, F8_E4M3: 1, F8_E5M2: 1, U16: 2, U32: 4, U64: 8 };

/**
 * Return the tensors of a safetensors file, from its header alone.
 * @returns {Promise<{name: string, dtype: string, shape: number[], elements: number, bytes: number}[]>}
 */
export async function readSafetensors(source) {
  await refuseImpostor(source);
  const start = await source.head(8);
  if (start.length < 8) throw broken(source, "it has not even a header");
  const view = new DataView(start.buffer, start.byteOffset, 8);
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (length > HEADER_BYTES_MOST || 8 + length > source.size) throw broken(source, "its header does not fit into it");
  const header = parse(source, (await source.head(8 + length)).subarray(8));
  const tensors = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => tensor(source, name, entry));
  const end = Math.max(0, ...tensors.map(({ end }) => end));
  if (8 + length + end > source.size) throw broken(source, `it ends ${8 + length + end - source.size} bytes too early`);
  return tensors;
}

function parse(source, bytes) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw broken(source, "its header cannot be read");
  }
}

function tensor(source, name, entry) {
  const { dtype, shape, data_offsets: offsets } = entry ?? {};
  if (typeof dtype !== "string" || !Array.isArray(shape) || !Array.isArray(offsets)) throw broken(source, `${name} is not described`);
  const elements = shape.reduce((product, length) => product * length, 1);
  const bytes = offsets[1] - offsets[0];
  if (dtype in DTYPE_BYTES && bytes !== elements * DTYPE_BYTES[dtype]) throw broken(source, `${name} has the wrong size`);
  return { name, dtype, shape, elements, bytes, end: offsets[1] };
}

function broken(source, reason) {
  return new Refusal(
    `${source.fileName} is broken: ${reason}.`,
    "It was probably not copied to its end. Compare its size with the original.",
  );
}
