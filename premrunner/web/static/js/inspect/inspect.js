import { diskBytes } from "./estimate.js";
import { inspectGguf } from "./gguf_choice.js";
import { isGguf } from "./gguf_header.js";
import { inspectFolders } from "./model_folder.js";
import { Refusal, byteText, refuseImpostor, withoutWeights } from "./refusal.js";
import { PlainSource } from "./source.js";
import { readTar } from "./tar_members.js";
import { readZip } from "./zip_directory.js";

// What systems and tools put beside a model without anybody's wish.
const JUNK = /(^|\/)(__macosx|\.git|\.cache|__pycache__|\.ipynb_checkpoints)\/|(^|\/)(\.ds_store|thumbs\.db|desktop\.ini|\.gitattributes|\.gitignore|\._[^/]*)$/i;
const OTHER_ARCHIVES = [
  ["7z\xbc\xaf", "a 7z archive"],
  ["Rar!", "a RAR archive"],
  ["\xfd7zXZ", "packed with xz"],
  ["\x28\xb5\x2f\xfd", "packed with Zstandard"],
  ["BZh", "packed with bzip2"],
];
const ARCHIVE_NAME = /\.(zip|tar|tgz|tar\.gz)$/i;

/**
 * Look into files before a byte is sent, and return what they are; throws a Refusal that says what to do.
 * @param {{path: string, file: File}[]} picked what was dropped together
 * @param {object} terms what this server takes
 * @returns findings, and `files`: those to send
 */
export async function inspect(picked, terms) {
  const form = picked.length === 1 ? await formOf(picked[0].file) : "plain";
  const findings = form === "plain" ? await inspectPlain(picked, terms) : await inspectArchive(picked[0], form, terms);
  const files = form === "plain" ? picked.filter(({ path }) => findings.sources.some((source) => source.path === path)) : picked;
  const sizeBytes = files.reduce((sum, { file }) => sum + file.size, 0);
  const whole = { ...findings, form, files, sizeBytes, leftOut: picked.length - files.length };
  refuseTooLarge(whole, terms);
  return whole;
}

function refuseTooLarge(findings, terms) {
  if (findings.sizeBytes > terms.maxUploadBytes) {
    throw new Refusal(
      `It has ${gigabytes(findings.sizeBytes)}; this server takes ${gigabytes(terms.maxUploadBytes)} (MAX_UPLOAD_BYTES).`,
      "Raise that setting on the server.",
    );
  }
  const peak = diskBytes(findings);
  if (peak <= terms.freeBytes) return;
  throw new Refusal(
    `It needs ${gigabytes(peak)} of the server's disk: sent, converted, and as the engine's copy. ${gigabytes(terms.freeBytes)} are free.`,
    `Free ${gigabytes(peak - terms.freeBytes)} there, and drop it again.`,
  );
}

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`;

async function formOf(file) {
  const head = byteText(new Uint8Array(await file.slice(0, 512).arrayBuffer()));
  if (head.startsWith("PK\u0003\u0004") || head.startsWith("PK\u0005\u0006")) return "zip";
  if (head.startsWith("\u001f\u008b")) return "tar.gz";
  if (head.slice(257, 262) === "ustar") return "tar";
  const other = OTHER_ARCHIVES.find(([magic]) => head.startsWith(magic));
  if (other) throw new Refusal(`${file.name} is ${other[1]}, which is not read here.`, "Pack the folder as a ZIP.");
  return "plain";
}

async function inspectPlain(picked, terms) {
  const sources = picked.filter(({ path }) => !JUNK.test(path)).map(({ path, file }) => new PlainSource(path, file));
  if (sources.length === 1) await refuseImpostor(sources[0]);
  return inspectSources(sources, terms);
}

async function inspectArchive({ file }, form, terms) {
  if (!ARCHIVE_NAME.test(file.name)) {
    throw new Refusal(`${file.name} is a ${form} by its content, and is called otherwise.`, `Rename it to end in .${form}.`);
  }
  const { sources, isWhole } = form === "zip" ? { sources: await readZip(file), isWhole: true } : await readTar(file, form === "tar.gz");
  const inside = sources.filter(({ path }) => !JUNK.test(path));
  if (!isWhole) return unseen(inside);
  if (inside.length && inside.every(({ path }) => /\.(zip|tar|tgz|tar\.gz|7z|rar)$/i.test(path))) {
    throw new Refusal(`The archive holds another archive, ${inside[0].fileName}, and no model.`, "Unpack it once, and drop the inner one.");
  }
  return inspectSources(inside, terms);
}

async function inspectSources(sources, terms) {
  if (!sources.length) throw withoutWeights(sources);
  const areGguf = await Promise.all(sources.map(isGguf));
  const gguf = sources.filter((_, index) => areGguf[index]);
  if (gguf.length) return inspectGguf(gguf, terms);
  const weights = sources.filter(({ path }) => /\.(safetensors|gguf)$/i.test(path));
  await Promise.all(weights.map(refuseImpostor));
  return inspectFolders(sources, terms);
}

/** A packed archive is read from its start only; what lies further in is seen on the server. */
function unseen(inside) {
  const names = inside.slice(0, 4).map(({ fileName }) => fileName).join(", ");
  return {
    kind: "archive",
    architecture: "",
    storedAs: "",
    weightBytes: 0,
    warnings: [`A packed tar cannot be looked through quickly${names ? `; it begins with ${names}` : ""}. The server looks at the rest; a ZIP would be checked here.`],
    sources: inside,
  };
}
