// Rows that are no multiple of this cannot be stored in K-quants.
const SUPER_BLOCK = 256;
// What the engine takes besides weights and cache.
const OVERHEAD_BYTES = 300 * 1024 * 1024;
const EMBEDDING = /(embed_tokens|wte|lm_head|embed_in|embed_out)\.weight$/;

/** Return the bytes of the GGUF that a conversion to a type will write. */
export function convertedBytes(findings, type) {
  if (!findings.tensors?.length) return findings.weightBytes;
  return findings.tensors.reduce((sum, tensor) => sum + tensor.elements * bytesPerWeight(tensor, type, findings), 0);
}

function bytesPerWeight({ name, shape }, type, { isTied }) {
  if (shape.length < 2) return 4;
  const isOutput = EMBEDDING.test(name) && (isTied || name.endsWith("lm_head.weight"));
  const isNarrow = shape.at(-1) % SUPER_BLOCK !== 0;
  if (isOutput) return isNarrow ? type.narrowOutputBytes : type.outputBytes;
  return isNarrow ? type.narrowBytes : type.weightBytes;
}

/** Return the memory that running it takes: weights, the attention's cache of the context, and the engine itself. */
export function memoryBytes(findings, modelBytes, contextTokens) {
  return modelBytes + (findings.cacheBytesAToken ?? 0) * contextTokens + OVERHEAD_BYTES;
}

/** Return the disk that is taken at the peak, as the server reckons it: sent, converted, and the engine's copy. */
export function diskBytes(findings) {
  const isFinished = findings.kind === "gguf" && findings.form === "plain";
  return findings.sizeBytes * (isFinished ? 2 : 3);
}
