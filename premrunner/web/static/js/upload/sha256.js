// Browsers hash in one piece, in memory; what is larger is compared by the server when it has arrived.
const LARGEST_BYTES = 256 * 1024 * 1024;

/** Return the digest of a single file in hexadecimal; "" for a folder, a large file, or a page without TLS. */
export async function sha256Of(files) {
  const [{ path, file }] = files;
  if (files.length > 1 || path.includes("/") || file.size > LARGEST_BYTES || !crypto.subtle) return "";
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
